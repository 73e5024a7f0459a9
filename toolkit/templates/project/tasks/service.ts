import { pageCursor, rfc3339, service } from 'serval'
import { z } from 'zod'
import { NoSuchTask, tasks } from './contract.ts'
import { taskRepository } from './repository.ts'
import { done, newTask, type Task } from './task.ts'

/** A list goes on after the task with this id. */
const pages = pageCursor(z.strictObject({ id: z.string().max(64) }))

const view = ({ id, title, addedAt, doneAt }: Task) => ({
  id,
  title,
  addedAt: rfc3339(addedAt),
  ...(doneAt === undefined ? {} : { doneAt: rfc3339(doneAt) }),
})

/** Handlers load, decide by the rules, and save. A step commits all that it does, or nothing. */
export const tasksService = service(tasks, {
  repositories: { tasks: taskRepository },
  operations: {
    add: ({ title }, { step }) =>
      step(async (s) => {
        const task = newTask(s.env.id(), title, s.env.now())
        s.tasks.add(task)
        return view(task)
      }),
    complete: ({ id }, { step }) =>
      step(async (s) => {
        const task = await s.tasks.load(id)
        if (task === undefined) throw NoSuchTask(undefined)
        const now = done(task, s.env.now())
        if (now !== task && now.doneAt !== undefined) {
          s.tasks.markDone(id, now.doneAt)
          s.emit(tasks.events.done, { taskId: id, day: rfc3339(now.doneAt).slice(0, 10) })
        }
        return view(now)
      }),
    task: async ({ id }, { read }) => {
      const task = await read((r) => r.tasks.load(id))
      if (task === undefined) throw NoSuchTask(undefined)
      return view(task)
    },
    list: async ({ limit, cursor }, { read }) => {
      const after = cursor === undefined ? undefined : pages.decode(cursor).id
      // One more than asked for tells whether there is more.
      const found = await read((r) => r.tasks.list(limit + 1, after))
      const items = found.slice(0, limit).map(view)
      const last = items.at(-1)
      return found.length > limit && last !== undefined
        ? { items, next: pages.encode({ id: last.id }) }
        : { items }
    },
    days: async (_, { read }) => ({ items: [...(await read((r) => r.tasks.days()))] }),
  },
  // Durable, in the order of each task's events, and counted once, whenever the process is killed.
  subscriptions: (on) => [
    on(tasks.events.done, ({ data }, { step }) => step(async (s) => s.tasks.countDone(data.day))),
  ],
})

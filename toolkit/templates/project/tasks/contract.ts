import { command, contract, event, get, post, problem, query } from 'serval'
import { z } from 'zod'

/** What others see: operations, events and problems, with their schemas. Routes and types follow from it. */

const Title = z.string().trim().min(1).max(200)

export const Task = z.object({
  id: z.string(),
  title: z.string(),
  /** RFC 3339. */
  addedAt: z.string(),
  /** Absent while it is open. */
  doneAt: z.string().optional(),
})

export const NoSuchTask = problem('no-such-task', {
  kind: 'not-found',
  title: 'There is no such task',
})

export const tasks = contract('tasks', {
  operations: {
    add: command({
      summary: 'Adds a task',
      access: 'public',
      // A client sends an Idempotency-Key: the same key and body get the same reply, and one task.
      repeat: 'key',
      http: post('/api/v1/tasks', { status: 201, location: '/api/v1/tasks/:id' }),
      input: z.object({ title: Title }),
      output: Task,
    }),
    complete: command({
      summary: 'Marks a task as done',
      access: 'public',
      // Marking it twice changes nothing, so a repeat needs no key.
      repeat: 'natural',
      http: post('/api/v1/tasks/:id/complete'),
      input: z.object({ id: z.string().max(64) }),
      output: Task,
      problems: [NoSuchTask],
    }),
    task: query({
      summary: 'One task',
      access: 'public',
      http: get('/api/v1/tasks/:id', { etag: true }),
      input: z.object({ id: z.string().max(64) }),
      output: Task,
      problems: [NoSuchTask],
    }),
    list: query({
      summary: 'All tasks, newest first',
      access: 'public',
      http: get('/api/v1/tasks'),
      input: z.object({
        limit: z.int().min(1).max(100).default(20),
        cursor: z.string().max(200).optional(),
      }),
      output: z.object({ items: z.array(Task), next: z.string().optional() }),
    }),
    days: query({
      summary: 'How many tasks were done on each day, the last day first',
      access: 'public',
      http: get('/api/v1/days'),
      input: z.object({}),
      output: z.object({ items: z.array(z.object({ day: z.string(), done: z.int() })) }),
    }),
  },
  events: {
    done: event('task.done', {
      version: 1,
      key: 'taskId',
      data: z.object({ taskId: z.string(), day: z.string() }),
    }),
  },
})

/** The rules: pure functions over plain data, without clock or database. */

export interface Task {
  readonly id: string
  readonly title: string
  /** Milliseconds. */
  readonly addedAt: number
  readonly doneAt: number | undefined
}

export const newTask = (id: string, title: string, now: number): Task => ({
  id,
  title,
  addedAt: now,
  doneAt: undefined,
})

/** A task that is done stays as it is: it was done when it was done first. */
export const done = (task: Task, now: number): Task =>
  task.doneAt === undefined ? { ...task, doneAt: now } : task

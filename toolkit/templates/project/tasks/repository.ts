import { repository } from 'serval'
import type { Task } from './task.ts'

/** What the service needs to keep; repositories/ holds how, for each engine. */
export interface Tasks {
  load(id: string): Promise<Task | undefined>
  add(task: Task): void
  /** Runs the step again when somebody else did it meanwhile. */
  markDone(id: string, at: number): void
  /** Newest first, those after a task. */
  list(limit: number, after: string | undefined): Promise<readonly Task[]>
  countDone(day: string): void
  days(): Promise<readonly { readonly day: string; readonly done: number }[]>
}

export const taskRepository = repository<Tasks>({
  // A step changes one task, or one day: it names it with session.touch.
  scope: 'aggregate',
  engines: { sql: async () => (await import('./repositories/sql.ts')).tasksOnSql },
})

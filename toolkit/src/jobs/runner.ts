import type { Env } from '../base/env.ts'
import { loop, type Loop } from '../base/loop.ts'
import type { Frame, JobRun, Store } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'

export interface JobRunnerOptions {
  readonly env: Env
  readonly log: Logger
  readonly store: Store
  readonly holder: string
  /** The service's jobs: milliseconds between two runs of a recurring one, undefined for one that is set by a step. */
  readonly jobs: ReadonlyMap<string, number | undefined>
  /** Runs a job; `settle` belongs into its step. Answers whether it was settled there. */
  readonly run: (job: JobRun, settle: (frame: Frame) => void, signal: AbortSignal) => Promise<boolean>
  readonly pollMs: number
}

const leaseMs = 60_000

/** Runs the jobs that are due, each by one host at a time. A job survives restarts: it is a row until its step deletes it. */
export const jobRunner = (options: JobRunnerOptions): Loop => {
  const { env, store, log } = options
  const names = [...options.jobs.keys()]
  const runOne = async (job: JobRun, signal: AbortSignal) => {
    const every = options.jobs.get(job.name)
    const settle = (frame: Frame) => frame.settleJob(job, every === undefined ? undefined : env.now() + every)
    try {
      if (!(await options.run(job, settle, signal))) await store.commit(async (unit) => settle(unit.frame), true)
    } catch (error) {
      if (signal.aborted) return
      log.warn('a job failed and is tried again', { job: job.name, key: job.key, attempt: job.attempts + 1 }, error)
      const message = error instanceof Error ? error.message : String(error)
      await store.jobs.failed(job, env.now() + Math.min(60_000, 100 * 2 ** job.attempts), message)
    }
  }
  return loop({
    env,
    failed: (error) => log.warn('jobs could not be looked up', {}, error),
    turn: async (signal) => {
      const now = env.now()
      const due = await store.jobs.claim(names, now, now + leaseMs, options.holder)
      await Promise.all(due.map((job) => runOne(job, signal)))
      if (due.length > 0) return 0
      const next = await store.jobs.next(names)
      return Math.max(1, Math.min(options.pollMs, (next ?? Infinity) - env.now()))
    },
  })
}

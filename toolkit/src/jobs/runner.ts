import type { Env } from '../base/env.ts'
import { loop, type Loop } from '../base/loop.ts'
import { quiet } from '../base/quiet.ts'
import { Superseded, type Frame, type JobRun, type Store } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'

export interface JobRunnerOptions {
  readonly env: Env
  readonly log: Logger
  readonly store: Store
  readonly holder: string
  /** The service's jobs: milliseconds between two runs of a recurring one, undefined for one that is set by a step. */
  readonly jobs: ReadonlyMap<string, number | undefined>
  /** Runs a job; `settle` belongs into its step. Answers whether it was settled there. */
  readonly run: (
    job: JobRun,
    settle: (frame: Frame) => void,
    signal: AbortSignal,
  ) => Promise<boolean>
  readonly pollMs: number
}

const leaseMs = 60_000
/** A claim may go beyond it by its own size. */
const maxRunning = 32

/** Runs the jobs that are due, each by one host at a time. A job survives restarts: it is a row until its step deletes it. */
export const jobRunner = (options: JobRunnerOptions): Loop => {
  const { env, store, log } = options
  const names = [...options.jobs.keys()]
  const runOne = async (job: JobRun, signal: AbortSignal) => {
    const every = options.jobs.get(job.name)
    const settle = (frame: Frame) =>
      frame.settleJob(job, every === undefined ? undefined : env.now() + every)
    try {
      if (!(await options.run(job, settle, signal)))
        await store.commit(async (unit) => settle(unit.frame), true)
    } catch (error) {
      if (signal.aborted) return
      // It was set anew while it ran, or another host has done it: what is there now comes by itself.
      if (error instanceof Superseded) return
      log.warn(
        'a job failed and is tried again',
        { job: job.name, key: job.key, attempt: job.attempts + 1 },
        error,
      )
      const message = error instanceof Error ? error.message : String(error)
      await store.jobs.failed(job, env.now() + Math.min(60_000, 100 * 2 ** job.attempts), message)
    }
  }
  // A job that takes long holds up no other.
  const running = new Set<Promise<void>>()
  const start = (job: JobRun, signal: AbortSignal) => {
    const run = runOne(job, signal)
      .catch((error: unknown) =>
        log.warn('a job waits for the end of its lease', { job: job.name, key: job.key }, error),
      )
      .finally(() => {
        running.delete(run)
        turns.wake()
      })
    running.add(run)
  }
  const wait = quiet(options.pollMs)
  const turns = loop({
    env,
    failed: (error) => log.warn('jobs could not be looked up', {}, error),
    turn: async (signal) => {
      if (running.size >= maxRunning) return options.pollMs
      const now = env.now()
      const due = await store.jobs.claim(names, now, now + leaseMs, options.holder)
      for (const job of due) start(job, signal)
      const idle = wait(due.length > 0)
      if (due.length > 0) return 0
      const next = await store.jobs.next(names)
      return Math.max(1, Math.min(idle, (next ?? Infinity) - env.now()))
    },
  })
  return {
    wake: turns.wake,
    stop: async () => {
      await turns.stop()
      await Promise.all(running)
    },
  }
}

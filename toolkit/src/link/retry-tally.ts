import type { Env } from '../base/env.ts'
import type { Logger } from '../telemetry/log.ts'

/** How long is counted before it is written down. */
const windowMs = 10_000

/** Counts what a host calls, and what it calls again. */
export interface RetryTally {
  called(): void
  retried(target: string): void
  /** Writes nothing more: who ends is left by others that end, and calls them again in vain. */
  stop(): void
}

/**
 * Writes one line for ten seconds in which calls were made again, from the first of them: how many calls and retries there were, and
 * which operation most of them asked for. Hosts that retry nothing write nothing.
 */
export const retryTally = (env: Env, log: Logger): RetryTally => {
  let calls = 0
  let retries = new Map<string, number>()
  let forget: (() => void) | undefined

  const write = () => {
    forget = undefined
    const [[most] = []] = [...retries].sort(([, a], [, b]) => b - a)
    const all = [...retries.values()].reduce((sum, count) => sum + count, 0)
    log.warn('calls were made again', { calls, retries: all, most })
    retries = new Map()
  }

  return {
    called: () => {
      if (forget !== undefined) calls += 1
    },
    retried: (target) => {
      if (forget === undefined) {
        calls = 1
        forget = env.after(windowMs, write)
      }
      retries.set(target, (retries.get(target) ?? 0) + 1)
    },
    stop: () => forget?.(),
  }
}

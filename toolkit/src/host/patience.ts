import type { Env } from '../base/env.ts'
import { asFailure, failure, isUnavailability, reasonOf } from '../base/failure.ts'
import type { Logger } from '../telemetry/log.ts'

export type Patience = <T>(attempt: () => Promise<T>) => Promise<T>

export const atOnce: Patience = (attempt) => attempt()

/** Whoever waits is told after this time at the latest. */
const longMs = 10_000

/** As long as a supervisor gives a process to be ready. */
const longestMs = 120_000

interface Patient {
  readonly env: Env
  /** `tell` is told why after so many failures. */
  readonly tries: number
  /** Told once why it waits; without an answer for a long time also that it does. */
  readonly tell: (error: unknown) => void
  /** Ends all that waits. */
  readonly signal: AbortSignal
  /** What a wait that takes too long fails with; without it there is no limit. An attempt under way may take longer: it may be a large migration. */
  readonly late?: (last: unknown) => Error
}

/** Tries again what cannot be reached yet. */
const patient =
  ({ env, tries, tell, signal, late }: Patient): Patience =>
  async (attempt) => {
    if (signal.aborted) throw reasonOf(signal)
    let last: unknown
    let told = false
    let long = false
    let over = false
    const say = () => {
      if (told) return
      tell(last)
      told = last !== undefined
    }
    const timers = [
      env.after(longMs, () => {
        long = true
        say()
      }),
      env.after(longestMs, () => (over = true)),
    ]
    const trying = async () => {
      for (let failed = 1; ; failed++)
        try {
          return await attempt()
        } catch (error) {
          if (signal.aborted || !isUnavailability(asFailure(error))) throw error
          if (over && late !== undefined) throw late(error)
          last = error
          if (long || failed >= tries) say()
          await env.sleep(Math.min(1_000, 25 * 2 ** failed), signal)
        }
    }
    // An attempt may not answer at all.
    const ended = Promise.withResolvers<never>()
    const giveUp = () => ended.reject(reasonOf(signal))
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await Promise.race([ended.promise, trying()])
    } finally {
      for (const forget of timers) forget()
      signal.removeEventListener('abort', giveUp)
    }
  }

interface Waiting {
  readonly env: Env
  readonly log: Logger
  /** Ends all that waits. */
  readonly signal: AbortSignal
}

/** Hosts that start together need each other: what cannot be reached yet is tried again until it can. */
export const untilReached = ({ env, log, signal }: Waiting): Patience =>
  patient({
    env,
    tries: 11,
    tell: (error) => log.warn('waiting for another host', {}, error),
    signal,
  })

/** What a person can do something about is in what the database itself said. */
const reasonIn = (error: unknown): string => {
  const { message, cause } = asFailure(error)
  return cause instanceof Error ? cause.message : message
}

/**
 * A host that starts waits for stores that are busy, such as with the migrations of the process that lends them, for two minutes. Said once, however
 * many services wait.
 */
export const untilOpen = ({
  env,
  log,
  stores,
  signal,
}: Waiting & { readonly stores: string }): Patience => {
  let said: 'nothing' | 'that' | 'why' = 'nothing'
  return patient({
    env,
    tries: 1,
    tell: (error) => {
      const known = error === undefined ? 'that' : 'why'
      if (said === 'why' || said === known) return
      log.warn('waiting for the stores', { stores }, error)
      said = known
    },
    signal,
    late: (last) =>
      failure(
        'cannot-start',
        `${stores}: not usable within ${longestMs / 1_000} s: ${reasonIn(last)}`,
        { cause: last },
      ),
  })
}

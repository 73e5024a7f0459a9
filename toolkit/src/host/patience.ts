import type { Env } from '../base/env.ts'
import { asFailure, isUnavailability } from '../base/failure.ts'
import type { Logger } from '../telemetry/log.ts'

export type Patience = <T>(attempt: () => Promise<T>) => Promise<T>

export const atOnce: Patience = (attempt) => attempt()

/** Whoever waits is told why after this time at the latest. */
const longMs = 10_000

/** Tries again what cannot be reached yet. `tell` is told why, once, after so many tries or a long time. */
const patient =
  (env: Env, tries: number, tell: (error: unknown) => void): Patience =>
  async (attempt) => {
    let last: unknown
    let told = false
    const say = () => {
      if (!told) tell(last)
      told = true
    }
    const forget = env.after(longMs, say)
    try {
      for (let failed = 1; ; failed++)
        try {
          return await attempt()
        } catch (error) {
          if (!isUnavailability(asFailure(error))) throw error
          last = error
          if (failed === tries) say()
          await env.sleep(Math.min(1_000, 25 * 2 ** failed))
        }
    } finally {
      forget()
    }
  }

interface Waiting {
  readonly env: Env
  readonly log: Logger
}

/** Hosts that start together need each other: what cannot be reached yet is tried again until it can. */
export const untilReached = ({ env, log }: Waiting): Patience =>
  patient(env, 11, (error) => log.warn('waiting for another host', {}, error))

/**
 * A host that starts waits for stores that are busy, such as with the migrations of the process that lends them; how long that may take decides who
 * started it. Said once, however many services wait.
 */
export const untilOpen = ({
  env,
  log,
  stores,
}: Waiting & { readonly stores: string }): Patience => {
  let said = false
  return patient(env, 1, (error) => {
    if (!said) log.warn('waiting for the stores', { stores }, error)
    said = true
  })
}

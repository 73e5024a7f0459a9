import type { Env } from '../base/env.ts'
import { asFailure, isUnavailability } from '../base/failure.ts'
import type { Logger } from '../telemetry/log.ts'

export type Patience = <T>(attempt: () => Promise<T>) => Promise<T>

export const atOnce: Patience = (attempt) => attempt()

/** Hosts that start together need each other: what cannot be reached yet is tried again until it can. */
export const untilReached =
  ({ env, log }: { readonly env: Env; readonly log: Logger }): Patience =>
  async (attempt) => {
    for (let tries = 0; ; tries++)
      try {
        return await attempt()
      } catch (error) {
        if (!isUnavailability(asFailure(error))) throw error
        if (tries === 10) log.warn('waiting for another host', {}, error)
        await env.sleep(Math.min(1_000, 50 * 2 ** tries))
      }
  }

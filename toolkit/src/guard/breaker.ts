import type { Env } from '../base/env.ts'
import { asFailure, failure, isUnavailability } from '../base/failure.ts'
import type { Guarded, Interceptor } from './interceptor.ts'

/** `closed` counts, `open` refuses until its time, `half-open` lets one call try. */
export type BreakerState =
  | { readonly state: 'closed'; readonly calls: number; readonly failed: number; readonly since: number }
  | { readonly state: 'open'; readonly until: number }
  | { readonly state: 'half-open' }

export interface BreakerOptions {
  readonly env: Env
  /** Opens when at least this share of a window's calls failed, default 0.5. */
  readonly failedShare?: number
  /** …of at least so many calls, default 20. */
  readonly minimumCalls?: number
  /** Default 10 000 ms. */
  readonly windowMs?: number
  /** Default 1 000 ms. */
  readonly openMs?: number
}

/**
 * Stops calling what does not answer (Nygard, Release It!, 2007). Only unavailability counts, time-outs included: a
 * declared problem is an answer, and a caller that gave up says nothing of the other side.
 */
export const breaker = <C extends Guarded, R>(options: BreakerOptions): Interceptor<C, R> & { state(): BreakerState } => {
  const { env, failedShare = 0.5, minimumCalls = 20, windowMs = 10_000, openMs = 1_000 } = options
  let now: BreakerState = { state: 'closed', calls: 0, failed: 0, since: env.now() }
  const fresh = (): BreakerState => ({ state: 'closed', calls: 0, failed: 0, since: env.now() })
  const count = (failed: boolean) => {
    if (now.state === 'half-open') now = failed ? { state: 'open', until: env.now() + openMs } : fresh()
    if (now.state !== 'closed') return
    const window = env.now() - now.since > windowMs ? { ...now, calls: 0, failed: 0, since: env.now() } : now
    const calls = window.calls + 1
    const failures = window.failed + (failed ? 1 : 0)
    now = failed && calls >= minimumCalls && failures >= calls * failedShare
      ? { state: 'open', until: env.now() + openMs }
      : { ...window, calls, failed: failures }
  }
  const guard: Interceptor<C, R> = async (call, next) => {
    if (now.state === 'half-open' || (now.state === 'open' && env.now() < now.until))
      throw failure('breaker-open', `${call.target}: calls wait because most of them failed`)
    if (now.state === 'open') now = { state: 'half-open' }
    try {
      const reply = await next(call)
      count(false)
      return reply
    } catch (thrown) {
      const error = asFailure(thrown)
      if (error.code === 'cancelled') {
        if (now.state === 'half-open') now = { state: 'open', until: env.now() }
      } else count(isUnavailability(error))
      throw thrown
    }
  }
  return Object.assign(guard, { state: () => now })
}

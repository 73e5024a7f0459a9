import type { Env } from '../base/env.ts'
import { asFailure, failure, isUnavailability, ServalError } from '../base/failure.ts'
import type { Guarded, Interceptor } from './interceptor.ts'

/** `closed` counts, `open` refuses until its time, `half-open` lets one call try, and another when that one has not answered by `until`. */
export type BreakerState =
  | {
      readonly state: 'closed'
      readonly calls: number
      readonly failed: number
      readonly since: number
    }
  | { readonly state: 'open'; readonly until: number }
  | { readonly state: 'half-open'; readonly until: number }

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
 * declared problem is an answer, and a caller that gave up says nothing of the other side. A time-out is known by the call's
 * signal, because what hangs never answers itself.
 */
export const breaker = <C extends Guarded, R>(
  options: BreakerOptions,
): Interceptor<C, R> & { state(): BreakerState } => {
  const { env, failedShare = 0.5, minimumCalls = 20, windowMs = 10_000, openMs = 1_000 } = options
  const fresh = (): BreakerState => ({ state: 'closed', calls: 0, failed: 0, since: env.now() })
  const opened = (ms: number): BreakerState => ({ state: 'open', until: env.now() + ms })
  let now = fresh()
  // Counts the changes of state: a call that began before the last one says nothing about the state that it ends in.
  let era = 0
  const become = (next: BreakerState) => {
    era += 1
    now = next
  }
  const count = (outcome: 'answered' | 'failed' | 'cancelled', begun: number) => {
    if (begun !== era) return
    if (now.state === 'half-open')
      become(outcome === 'answered' ? fresh() : opened(outcome === 'failed' ? openMs : 0))
    else if (now.state === 'closed' && outcome !== 'cancelled') {
      const window =
        env.now() - now.since > windowMs ? { ...now, calls: 0, failed: 0, since: env.now() } : now
      const calls = window.calls + 1
      const failed = window.failed + (outcome === 'failed' ? 1 : 0)
      if (outcome === 'failed' && calls >= minimumCalls && failed >= calls * failedShare)
        become(opened(openMs))
      else now = { ...window, calls, failed }
    }
  }
  const outcomeOf = (thrown: unknown) => {
    const error = asFailure(thrown)
    if (error.code === 'cancelled') return 'cancelled'
    // Whoever says at once that there is too much to do is there: the calls that it takes must not be refused with the others.
    return isUnavailability(error) && error.code !== 'overloaded' ? 'failed' : 'answered'
  }
  const guard: Interceptor<C, R> = async (call, next) => {
    if (now.state !== 'closed') {
      if (env.now() < now.until)
        throw failure('breaker-open', `${call.target}: calls wait because most of them failed`)
      const trying: BreakerState = { state: 'half-open', until: env.now() + openMs }
      // A probe that hangs must not keep others from trying; whichever answers first decides.
      if (now.state === 'half-open') now = trying
      else become(trying)
    }
    const begun = era
    let counted = false
    const end = (outcome: Parameters<typeof count>[0]) => {
      call.signal.removeEventListener('abort', abandoned)
      if (!counted) count(outcome, begun)
      counted = true
    }
    const abandoned = () => {
      const reason: unknown = call.signal.reason
      // Only a deadline says something of the other side; every other reason is the caller's own.
      end(
        reason instanceof ServalError && reason.code === 'deadline-exceeded'
          ? 'failed'
          : 'cancelled',
      )
    }
    if (call.signal.aborted) abandoned()
    call.signal.addEventListener('abort', abandoned, { once: true })
    try {
      const reply = await next(call)
      end('answered')
      return reply
    } catch (thrown) {
      end(outcomeOf(thrown))
      throw thrown
    }
  }
  return Object.assign(guard, { state: () => now })
}

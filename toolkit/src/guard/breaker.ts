import type { Env } from '../base/env.ts'
import { asFailure, failure, isUnavailability, ServalError } from '../base/failure.ts'
import { begin, type Guarded, type Interceptor } from './interceptor.ts'
import type { Signal } from './signal.ts'

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

type Outcome = 'answered' | 'failed' | 'cancelled'

/** The closed state while it counts. */
interface Window {
  readonly state: 'closed'
  calls: number
  failed: number
  since: number
}

const outcomeOf = (thrown: unknown): Outcome => {
  const error = asFailure(thrown)
  if (error.code === 'cancelled') return 'cancelled'
  // Whoever says at once that there is too much to do is there: the calls that it takes must not be refused with the others.
  return isUnavailability(error) && error.code !== 'overloaded' ? 'failed' : 'answered'
}

/** A call under way: its outcome is counted once, in the era in which it began. */
class Watched {
  readonly #signal: Signal
  readonly #begun: number
  readonly #count: (outcome: Outcome, begun: number) => void
  #counted = false

  constructor(signal: Signal, begun: number, count: (outcome: Outcome, begun: number) => void) {
    this.#signal = signal
    this.#begun = begun
    this.#count = count
    if (signal.aborted) this.handleEvent()
    else signal.addEventListener('abort', this)
  }

  end(outcome: Outcome): void {
    this.#signal.removeEventListener('abort', this)
    if (!this.#counted) this.#count(outcome, this.#begun)
    this.#counted = true
  }

  handleEvent(): void {
    const reason: unknown = this.#signal.reason
    // Only a deadline says something of the other side; every other reason is the caller's own.
    this.end(
      reason instanceof ServalError && reason.code === 'deadline-exceeded' ? 'failed' : 'cancelled',
    )
  }
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
  const fresh = (): Window => ({ state: 'closed', calls: 0, failed: 0, since: env.now() })
  const opened = (ms: number) => ({ state: 'open' as const, until: env.now() + ms })
  let now: Window | Exclude<BreakerState, { state: 'closed' }> = fresh()
  // Counts the changes of state: a call that began before the last one says nothing about the state that it ends in.
  let era = 0
  const become = (next: typeof now) => {
    era += 1
    now = next
  }
  const count = (outcome: Outcome, begun: number) => {
    if (begun !== era) return
    if (now.state === 'half-open')
      become(outcome === 'answered' ? fresh() : opened(outcome === 'failed' ? openMs : 0))
    else if (now.state === 'closed' && outcome !== 'cancelled') {
      const at = env.now()
      if (at - now.since > windowMs) {
        now.calls = now.failed = 0
        now.since = at
      }
      now.calls += 1
      if (outcome === 'answered') return
      now.failed += 1
      if (now.calls >= minimumCalls && now.failed >= now.calls * failedShare) become(opened(openMs))
    }
  }
  const guard: Interceptor<C, R> = (call, next) => {
    if (now.state !== 'closed') {
      if (env.now() < now.until)
        return Promise.reject(
          failure('breaker-open', `${call.target}: calls wait because most of them failed`),
        )
      const trying = { state: 'half-open' as const, until: env.now() + openMs }
      // A probe that hangs must not keep others from trying; whichever answers first decides.
      if (now.state === 'half-open') now = trying
      else become(trying)
    }
    const watched = new Watched(call.signal, era, count)
    return begin(next, call).then(
      (reply) => {
        watched.end('answered')
        return reply
      },
      (error: unknown) => {
        watched.end(outcomeOf(error))
        throw error
      },
    )
  }
  return Object.assign(guard, { state: () => ({ ...now }) })
}

import type { Env } from '../base/env.ts'
import { asFailure, type ServalError } from '../base/failure.ts'
import { begin, type Guarded, type Interceptor } from './interceptor.ts'
import { abortSignal } from './signal.ts'

export interface RetryOptions {
  readonly env: Env
  /** Tries in all, default 3. */
  readonly attempts?: number
  /** Retries that each call earns, default 0.1: in the long run retries add at most a tenth to the load. */
  readonly budgetRatio?: number
  /** Retries that may be saved up, default 10. */
  readonly budgetMax?: number
  /** Told of each retry, before it is made. */
  readonly retried?: (target: string) => void
}

/** How long the other side asked to be left alone. */
const askedMs = ({ data }: ServalError): number =>
  typeof data === 'object' &&
  data !== null &&
  'retryAfterSeconds' in data &&
  typeof data.retryAfterSeconds === 'number'
    ? data.retryAfterSeconds * 1_000
    : 0

/**
 * Tries again what failed for want of the other side: always when the call was not sent, otherwise only when a second
 * run is harmless. Waits 25 ms, then twice as long each time, with full jitter, or as long as the other side asked for. The budget is a token
 * bucket filled by calls (as in gRPC proposal A6), so that retries cannot multiply an overload.
 */
export const retry = <C extends Guarded, R>(options: RetryOptions): Interceptor<C, R> => {
  const { env, attempts = 3, budgetRatio = 0.1, budgetMax = 10, retried } = options
  let budget = budgetMax

  const again = async (call: C, next: (call: C) => Promise<R>, first: unknown): Promise<R> => {
    let thrown = first
    for (let attempt = 1; ; attempt++) {
      const error = asFailure(thrown)
      const harmless = error.ran === 'not-sent' || call.repeatable
      const wait = Math.max(25 * 2 ** (attempt - 1) * env.random(), askedMs(error))
      const timeLeft = call.deadline - env.now() > wait
      if (
        !error.retryable ||
        !harmless ||
        attempt >= attempts ||
        budget < 1 ||
        !timeLeft ||
        call.signal.aborted
      )
        throw thrown
      budget -= 1
      const waited = await env.sleep(wait, abortSignal(call.signal)).then(
        () => true,
        () => false,
      )
      // Timers run late; the time may be over by now.
      if (!waited || call.deadline <= env.now()) throw thrown
      retried?.(call.target)
      try {
        return await next(call)
      } catch (error) {
        thrown = error
      }
    }
  }

  return (call, next) => {
    budget = Math.min(budgetMax, budget + budgetRatio)
    return begin(next, call).catch((error: unknown) => again(call, next, error))
  }
}

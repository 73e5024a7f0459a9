import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import type { Guarded, Interceptor } from './interceptor.ts'

/**
 * Ends a call when its time is up or its caller gave up: the caller gets `deadline-exceeded` or `cancelled` at once, and the signal
 * that goes on with the call aborts, so that the work behind it can stop. A reply that `goesOn` (a feed) is in time with its
 * beginning, and still ends when the caller leaves.
 */
export const deadline =
  <C extends Guarded, R>(
    env: Env,
    goesOn: (reply: R) => boolean = () => false,
  ): Interceptor<C, R> =>
  (call, next) => {
    const left = call.deadline - env.now()
    if (call.signal.aborted)
      return Promise.reject(
        failure('cancelled', `${call.target}: the caller gave up before the call was made`, {
          ran: 'not-sent',
        }),
      )
    if (left <= 0)
      return Promise.reject(
        failure('deadline-exceeded', `${call.target}: no time was left to call`, {
          ran: 'not-sent',
        }),
      )
    const controller = new AbortController()
    return new Promise<R>((resolve, reject) => {
      const stop = (error: Error) => {
        settle()
        reject(error)
        controller.abort(error)
      }
      const forget = env.after(left, () =>
        stop(
          failure('deadline-exceeded', `${call.target}: no answer within ${Math.round(left)} ms`),
        ),
      )
      const giveUp = () => stop(failure('cancelled', `${call.target}: the caller gave up`))
      const settle = () => {
        forget()
        call.signal.removeEventListener('abort', giveUp)
      }
      call.signal.addEventListener('abort', giveUp, { once: true })
      // Begun in a promise of its own: what throws at once must not leave the timer behind.
      new Promise<R>((begin) => begin(next({ ...call, signal: controller.signal }))).then(
        (reply) => {
          if (goesOn(reply)) forget()
          else settle()
          resolve(reply)
        },
        (error: unknown) => {
          settle()
          reject(error as Error)
        },
      )
    })
  }

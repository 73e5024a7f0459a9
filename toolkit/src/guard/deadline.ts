import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { begin, type Guarded, type Interceptor } from './interceptor.ts'
import { LazySignal, type Signal } from './signal.ts'
import { Due, Timetable } from './timetable.ts'

/** A call that somebody waits for: until it is answered, its time is up, or its caller gave up. */
class Waiting<R> extends Due {
  readonly signal = new LazySignal()
  readonly #call: Guarded
  readonly #timetable: Timetable
  readonly #leftMs: number
  readonly #resolve: (reply: R) => void
  readonly #reject: (error: unknown) => void

  constructor(
    call: Guarded,
    timetable: Timetable,
    now: number,
    resolve: (reply: R) => void,
    reject: (error: unknown) => void,
  ) {
    super()
    this.#call = call
    this.#timetable = timetable
    this.#leftMs = call.deadline - now
    this.#resolve = resolve
    this.#reject = reject
    timetable.add(this, call.deadline, now)
    call.signal.addEventListener('abort', this)
  }

  answered(reply: R, goesOn: boolean): void {
    if (goesOn) this.#timetable.remove(this)
    else this.#settle()
    this.#resolve(reply)
  }

  failed(error: unknown): void {
    this.#settle()
    this.#reject(error)
  }

  override expire(): void {
    const { target } = this.#call
    this.#stop(
      failure('deadline-exceeded', `${target}: no answer within ${Math.round(this.#leftMs)} ms`),
    )
  }

  handleEvent(): void {
    this.#stop(failure('cancelled', `${this.#call.target}: the caller gave up`))
  }

  #stop(error: Error): void {
    this.failed(error)
    this.signal.abort(error)
  }

  #settle(): void {
    this.#timetable.remove(this)
    this.#call.signal.removeEventListener('abort', this)
  }
}

/**
 * Ends a call when its time is up or its caller gave up: the caller gets `deadline-exceeded` or `cancelled` at once, and the signal
 * that goes on with the call aborts, so that the work behind it can stop. A reply that `goesOn` (a feed) is in time with its
 * beginning, and still ends when the caller leaves. `under` gives the call another signal.
 */
export const deadline = <C extends Guarded, R>(
  env: Env,
  goesOn: (reply: R) => boolean = () => false,
  under: (call: C, signal: Signal) => C = (call, signal) => ({ ...call, signal }),
): Interceptor<C, R> => {
  const timetable = new Timetable(env)
  return (call, next) => {
    const now = env.now()
    if (call.signal.aborted)
      return Promise.reject(
        failure('cancelled', `${call.target}: the caller gave up before the call was made`, {
          ran: 'not-sent',
        }),
      )
    if (call.deadline <= now)
      return Promise.reject(
        failure('deadline-exceeded', `${call.target}: no time was left to call`, {
          ran: 'not-sent',
        }),
      )
    return new Promise<R>((resolve, reject) => {
      const waiting = new Waiting<R>(call, timetable, now, resolve, reject)
      begin(next, under(call, waiting.signal)).then(
        (reply) => waiting.answered(reply, goesOn(reply)),
        (error: unknown) => waiting.failed(error),
      )
    })
  }
}

import type { Signal } from './signal.ts'

/** The one way to compose: a function around the next one. Interceptors run in list order. */
export type Interceptor<C, R> = (call: C, next: (call: C) => Promise<R>) => Promise<R>

/** Puts interceptors around `last`, the first of the list outermost. */
export const compose = <C, R>(
  interceptors: readonly Interceptor<C, R>[],
  last: (call: C) => Promise<R>,
): ((call: C) => Promise<R>) =>
  interceptors.reduceRight<(call: C) => Promise<R>>(
    (next, interceptor) => (call) => interceptor(call, next),
    last,
  )

/** Goes on to the next: what it throws at once is a rejection as well. */
export const begin = <C, R>(next: (call: C) => Promise<R>, call: C): Promise<R> => {
  try {
    return next(call)
  } catch (error) {
    return Promise.reject(error)
  }
}

/** What a guard needs to know of a call. */
export interface Guarded {
  /** `contract.operation`, for messages. */
  readonly target: string
  /** When the caller stops waiting: milliseconds of the clock of `env`. */
  readonly deadline: number
  /** Aborts when the caller gives up. */
  readonly signal: Signal
  /** A second run changes nothing more than the first. */
  readonly repeatable: boolean
}

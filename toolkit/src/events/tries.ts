import type { Env } from '../base/env.ts'
import { asFailure, isUnavailability, ServalError } from '../base/failure.ts'

const maxFailures = 5

/** What was tried of a message so far. */
export interface Tries {
  /** Tries that failed for the message's own sake. */
  readonly failures: number
  /** Tries that failed for whatever reason. */
  readonly tries: number
}

export const untried: Tries = { failures: 0, tries: 0 }

/** Milliseconds before the next try: 50, doubled up to 2 s. */
const backoff = (tries: number) => Math.min(2_000, 25 * 2 ** Math.min(tries, 10))
/** No store takes a NUL or half of a surrogate pair. */
const storable = (given: string) => given.slice(0, 2_000).replaceAll('\0', ' ').toWellFormed()

/** For the operator who looks at a held message: what was thrown, and why. */
const text = (error: unknown): string => {
  if (!(error instanceof Error)) return storable(String(error))
  const code = error instanceof ServalError ? `${error.code}: ` : ''
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return storable(`${code}${error.message}${cause}`)
}

/** What a failed try makes of a message. Only a failure of its own brings it nearer to being parked; the waits grow with every one. */
export const afterFailedTry = (error: unknown, before: Tries, env: Env) => {
  const own = !isUnavailability(asFailure(error)) && asFailure(error).code !== 'conflict'
  const failures = before.failures + (own ? 1 : 0)
  const tries = before.tries + 1
  const dueAt = env.now() + backoff(tries) * (0.5 + env.random() / 2)
  return { failures, tries, parked: failures >= maxFailures, error: text(error), dueAt }
}

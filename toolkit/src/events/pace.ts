import type { Env } from '../base/env.ts'
import { asFailure, isUnavailability } from '../base/failure.ts'
import type { Logger } from '../telemetry/log.ts'

/*
 * How fast a subscription goes on with messages of each type. Where what a handler calls is gone, every message would fail, be held, and be tried again
 * every two seconds: with thousands of them, that is more work than handling them was. So when several in a row found a service unavailable, only a few
 * are tried each second, until one succeeds; all others are held without a try. Likewise while many take long.
 */

/** So many in a row found a service unavailable: it is away. */
const enough = 8
/** Of new messages and of held ones each, while it is away. */
const triesASecond = 4
/** Held messages of a type that are tried at the same time, at most. */
const maxRetries = 32
/** Messages of a type that were set aside, at most: more of them are held. */
const maxAside = 256
const saidEveryMs = 10_000

interface TypePace {
  /** Were unavailable, in a row. */
  unavailable: number
  /** Forgets the timer of the next second's tries; undefined unless what they need is away. */
  away: (() => void) | undefined
  newTries: number
  heldTries: number
  /** Held ones that may be tried at the same time: doubled with each that succeeds. */
  room: number
  retrying: number
  /** When held ones were taken last. */
  takenAt: number
  aside: number
  /** Whether the log says that they wait. */
  said: boolean
  saidAt: number
}

/** Which held messages may be tried now: of one type, or of all but some. */
export interface RetryShare {
  readonly types: { readonly only: string } | { readonly except: readonly string[] }
  readonly limit: number
}

export interface Pace {
  /** Whether a new message may be handled now. Otherwise it is held, and comes back from there. */
  admits(type: string): boolean
  /** A message was set aside (1), or one of those has ended (-1). */
  aside(type: string, by: 1 | -1): void
  /** A held message is being tried (1), or that has ended (-1). */
  retrying(type: string, by: 1 | -1): void
  /** What a handler came to: undefined when it did its work. */
  ended(type: string, error: unknown): void
  /** What may be taken now; `full` where a type has so many at work that it takes no more for the moment. */
  retries(): { readonly shares: readonly RetryShare[]; readonly full: boolean }
  stop(): void
}

export const pace = ({ env, log }: { readonly env: Env; readonly log: Logger }): Pace => {
  /** Those with anything to remember. */
  const types = new Map<string, TypePace>()
  const of = (type: string): TypePace => {
    const known = types.get(type)
    if (known !== undefined) return known
    const fresh: TypePace = {
      unavailable: 0,
      away: undefined,
      newTries: 0,
      heldTries: 0,
      room: maxRetries,
      retrying: 0,
      takenAt: -Infinity,
      aside: 0,
      said: false,
      saidAt: -Infinity,
    }
    types.set(type, fresh)
    return fresh
  }
  /** Since then; a clock that was set back counts as well. */
  const passed = (at: number) => Math.abs(env.now() - at)
  /** By a timer: the clock of `env` may be set, or stand still. */
  const everySecond = (one: TypePace) => {
    one.away = env.after(1_000, () => {
      one.newTries = one.heldTries = triesASecond
      everySecond(one)
    })
  }
  const goneAway = (type: string, one: TypePace, error: unknown) => {
    one.newTries = one.heldTries = 0
    one.room = triesASecond
    everySecond(one)
    if (one.said || passed(one.saidAt) < saidEveryMs) return
    one.said = true
    one.saidAt = env.now()
    log.warn('messages wait for a service that is unavailable', { event: type }, error)
  }
  const cameBack = (type: string, one: TypePace) => {
    one.unavailable = 0
    one.away?.()
    one.away = undefined
    one.room = Math.min(maxRetries, 2 * one.room)
    if (!one.said || one.room < maxRetries) return
    one.said = false
    log.info('messages no longer wait', { event: type })
  }
  const mayRetry = (one: TypePace): number => {
    const free = one.room - one.retrying
    if (one.away !== undefined) return Math.min(free, one.heldTries)
    // Not one by one, each in a claim of its own; but some may hang.
    return free >= one.room / 2 || passed(one.takenAt) >= 1_000 ? free : 0
  }

  return {
    admits: (type) => {
      const one = types.get(type)
      if (one === undefined) return true
      if (one.aside >= maxAside) return false
      if (one.away === undefined) return true
      one.newTries -= 1
      return one.newTries >= 0
    },
    aside: (type, by) => {
      of(type).aside += by
    },
    retrying: (type, by) => {
      const one = of(type)
      one.retrying += by
      if (by < 0) return
      one.heldTries -= 1
      one.takenAt = env.now()
    },
    ended: (type, error) => {
      const unavailable = error !== undefined && isUnavailability(asFailure(error))
      const one = unavailable ? of(type) : types.get(type)
      if (one === undefined) return
      if (!unavailable) return cameBack(type, one)
      one.unavailable += 1
      if (one.unavailable >= enough && one.away === undefined) goneAway(type, one, error)
    },
    retries: () => {
      const limited = [...types]
        .filter(([, one]) => one.room < maxRetries || one.retrying > 0)
        .map(([type, one]) => ({ type, limit: mayRetry(one), away: one.away !== undefined }))
      const each = limited
        .filter(({ limit }) => limit > 0)
        .map(({ type, limit }) => ({ types: { only: type }, limit }))
      const except = limited.map(({ type }) => type)
      const shares: RetryShare[] = [...each, { types: { except }, limit: maxRetries }]
      const full = limited.some(({ limit, away }) => limit === 0 && !away)
      return { shares, full }
    },
    stop: () => {
      for (const one of types.values()) one.away?.()
    },
  }
}

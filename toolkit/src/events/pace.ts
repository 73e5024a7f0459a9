import type { Env } from '../base/env.ts'
import { asFailure, isUnavailability } from '../base/failure.ts'
import type { Logger } from '../telemetry/log.ts'

/*
 * How fast a subscription goes on with messages of each type. Where what a handler calls is gone, every message would fail, be held, and be tried again
 * every two seconds: with thousands of them, that is more work than handling them was. So when several in a row found a service unavailable, only a few
 * are tried each second, of those that are held the oldest, until one succeeds; all others are held without a try. Likewise while many take long.
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
  /** Since when the tries below were counted; undefined unless what they need is away. */
  awaySince: number | undefined
  newTries: number
  heldTries: number
  /** Held ones that may be tried at the same time: doubled with each that succeeds. */
  room: number
  retrying: number
  aside: number
  /** When it was said last that they wait; undefined when they do not, as far as the log says. */
  saidAt: number | undefined
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
  retries(): readonly RetryShare[]
}

export const pace = ({ env, log }: { readonly env: Env; readonly log: Logger }): Pace => {
  /** Those with anything to remember. */
  const types = new Map<string, TypePace>()
  const of = (type: string): TypePace => {
    const known = types.get(type)
    if (known !== undefined) return known
    const fresh: TypePace = {
      unavailable: 0,
      awaySince: undefined,
      newTries: 0,
      heldTries: 0,
      room: maxRetries,
      retrying: 0,
      aside: 0,
      saidAt: undefined,
    }
    types.set(type, fresh)
    return fresh
  }
  /** A second's tries begin when the last one's are over. */
  const count = (one: TypePace) => {
    if (one.awaySince === undefined || env.now() - one.awaySince < 1_000) return
    one.awaySince = env.now()
    one.newTries = one.heldTries = triesASecond
  }
  const goneAway = (type: string, one: TypePace, error: unknown) => {
    one.awaySince = env.now()
    one.newTries = one.heldTries = 0
    one.room = triesASecond
    if (env.now() - (one.saidAt ?? -Infinity) < saidEveryMs) return
    one.saidAt = env.now()
    log.warn('messages wait for a service that is unavailable', { event: type }, error)
  }
  const cameBack = (type: string, one: TypePace) => {
    one.unavailable = 0
    one.awaySince = undefined
    one.room = Math.min(maxRetries, 2 * one.room)
    if (one.saidAt === undefined || one.room < maxRetries) return
    one.saidAt = undefined
    log.info('messages no longer wait', { event: type })
  }
  const mayRetry = (one: TypePace): number => {
    count(one)
    const free = one.room - one.retrying
    if (one.awaySince !== undefined) return Math.min(free, one.heldTries)
    // Not one by one, each in a claim of its own.
    return free >= one.room / 2 ? free : 0
  }

  return {
    admits: (type) => {
      const one = types.get(type)
      if (one === undefined) return true
      if (one.aside >= maxAside) return false
      if (one.awaySince === undefined) return true
      count(one)
      one.newTries -= 1
      return one.newTries >= 0
    },
    aside: (type, by) => {
      of(type).aside += by
    },
    retrying: (type, by) => {
      const one = of(type)
      one.retrying += by
      if (by > 0) one.heldTries -= 1
    },
    ended: (type, error) => {
      const unavailable = error !== undefined && isUnavailability(asFailure(error))
      const one = unavailable ? of(type) : types.get(type)
      if (one === undefined) return
      if (!unavailable) return cameBack(type, one)
      one.unavailable += 1
      if (one.unavailable >= enough && one.awaySince === undefined) goneAway(type, one, error)
    },
    retries: () => {
      const limited = [...types].filter(([, one]) => one.room < maxRetries || one.retrying > 0)
      const shares: RetryShare[] = limited.map(([type, one]) => ({
        types: { only: type },
        limit: mayRetry(one),
      }))
      const rest = { types: { except: limited.map(([type]) => type) }, limit: maxRetries }
      return [...shares.filter(({ limit }) => limit > 0), rest]
    },
  }
}

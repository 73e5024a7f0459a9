import { milliseconds, type Duration } from '../base/duration.ts'
import type { Env } from '../base/env.ts'
import { asFailure, isUnavailability } from '../base/failure.ts'
import {
  Flights,
  isFresh,
  mayStandIn,
  type Flight,
  type Made,
  type Outcome,
  type Rules,
} from './flights.ts'
import type { CacheKey, CacheStore, Tags } from './store.ts'

interface KeepOptions {
  /** For how long it is answered, counted from when its fill began. */
  readonly ttl: Duration
  /** How much longer it is kept, to be answered, marked stale, when a fill fails; never past a drop. Default 0. */
  readonly staleFor?: Duration
  /** Which failures of a fill a stale answer may stand in for; default: unavailability. */
  readonly staleIf?: (error: unknown) => boolean
}

export interface CacheOptions extends KeepOptions {
  /** Dropping one of them drops the entry. The same for a key each time. */
  readonly tags?: readonly string[]
}

export interface CacheManyOptions extends KeepOptions {
  /** The key of an item; default: the item itself. */
  readonly key?: (item: string) => string
  /** The tags of an item. */
  readonly tags?: (item: string) => readonly string[]
}

/** What was read. */
export interface Cached<T> {
  /** Frozen: it is shared with everybody who reads it. */
  readonly value: T
  /** Milliseconds since the fill that made it began. */
  readonly age: number
  /** It is past its time, and stands in for a fill that failed. */
  readonly stale: boolean
}

/**
 * A service's own cache. Values are JSON: what JSON leaves out or changes (undefined fields, dates) is so on the first read
 * already. An undefined value is answered and not kept; an error is never kept. Of reads of one key at the same moment one fills, and
 * the others are given what it made.
 */
export interface ServiceCache {
  read<T>(key: string, options: CacheOptions, fill: () => Promise<T>): Promise<Cached<T>>
  /**
   * Many at once, each with the guarantees of `read`. What is missing is filled in one call; an item that `fill` leaves out is left
   * out of the answer, and not kept.
   */
  readMany<T>(
    items: Iterable<string>,
    options: CacheManyOptions,
    fill: (missing: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  ): Promise<Map<string, Cached<T>>>
}

/** A service's cache, and how its host drops from it. */
export interface DroppableCache extends ServiceCache {
  /** Lets nobody join a read that began before: after the store has dropped. */
  drop(tags: Tags): void
}

const unavailable = (error: unknown) => isUnavailability(asFailure(error))

const rulesOf = ({ ttl, staleFor = 0, staleIf = unavailable }: KeepOptions): Rules => {
  const ttlMs = milliseconds(ttl, 'cache.ttl')
  return { ttlMs, keepMs: ttlMs + milliseconds(staleFor, 'cache.staleFor'), staleIf }
}

interface Landed {
  readonly flight: Flight
  readonly outcome: Outcome
  readonly led: boolean
}

/** The failure was that of the caller who filled: out of time, or gone. Whoever joined has time of his own. */
const isTheirsAlone = (error: unknown) => asFailure(error).kind === 'deadline'

/** The cache of one service: its keys and tags are its own, whatever other services call theirs. */
export const serviceCache = (service: string, env: Env, store: CacheStore): DroppableCache => {
  const flights = new Flights(env, store)
  const prefix = `${service}/`

  const cached = <T>({ value, begunAt }: Made, stale: boolean): Cached<T> => ({
    // Whoever reads a key says what is kept there.
    value: value as T,
    age: env.now() - begunAt,
    stale,
  })

  /** What a reader makes of a flight that has landed: 'again' when that was not for him. */
  const take = <T>(
    { flight, outcome, led }: Landed,
    rules: Rules,
  ): Cached<T> | 'absent' | 'again' => {
    const now = env.now()
    switch (outcome.was) {
      case 'absent':
        return 'absent'
      case 'filled':
        return cached(outcome.made, false)
      case 'found':
        return isFresh(outcome.found, rules, now) && !flights.isDropped(flight)
          ? cached(outcome.found, false)
          : 'again'
      case 'failed': {
        const { error, fallback } = outcome
        const standsIn = fallback !== undefined && mayStandIn(fallback, rules, now)
        if (standsIn && !flights.isDropped(flight) && rules.staleIf(error))
          return cached(fallback, true)
        if (!led && isTheirsAlone(error)) return 'again'
        throw error
      }
    }
  }

  const readAll = async <T>(
    wanted: readonly CacheKey[],
    rules: Rules,
    fill: (missing: readonly string[]) => Promise<ReadonlyMap<string, unknown>>,
  ): Promise<Map<string, Cached<T>>> => {
    const landed = new Map<string, Landed>()
    let open = wanted
    for (;;) {
      const boarded = open.map((one) => flights.board(one, rules))
      const led = boarded.filter(({ leads }) => leads).map(({ flight }) => flight)
      if (led.length > 0) await flights.run(led, fill)
      for (const { flight, leads } of boarded) {
        const outcome = flight.landed ?? (await flight.landing())
        landed.set(flight.key, { flight, outcome, led: leads })
      }
      // All at one moment: what was found first must still be there, and in its time, when the last is filled.
      const answers = new Map<string, Cached<T>>()
      const again: CacheKey[] = []
      for (const one of wanted) {
        const flight = landed.get(one.key)
        const taken = flight === undefined ? 'absent' : take<T>(flight, rules)
        if (taken === 'again') again.push(one)
        else if (taken !== 'absent') answers.set(one.key, taken)
      }
      if (again.length === 0) return answers
      open = again
    }
  }

  const tagged = (tags: readonly string[]) => tags.map((tag) => `${prefix}${tag}`)

  return {
    read: async <T>(key: string, options: CacheOptions, fill: () => Promise<T>) => {
      const one = { key: `${prefix}${key}`, tags: tagged(options.tags ?? []) }
      const answers = await readAll<T>(
        [one],
        rulesOf(options),
        async () => new Map([[one.key, await fill()]]),
      )
      return answers.get(one.key) ?? cached({ value: undefined, begunAt: env.now() }, false)
    },
    readMany: async <T>(
      items: Iterable<string>,
      options: CacheManyOptions,
      fill: (missing: readonly string[]) => Promise<ReadonlyMap<string, T>>,
    ) => {
      const keyOf = new Map<string, string>()
      // Items that share a key are one: the first of them is filled.
      const itemOf = new Map<string, string>()
      const wanted: CacheKey[] = []
      for (const item of items) {
        if (keyOf.has(item)) continue
        const key = `${prefix}${options.key?.(item) ?? item}`
        keyOf.set(item, key)
        if (itemOf.has(key)) continue
        itemOf.set(key, item)
        wanted.push({ key, tags: tagged(options.tags?.(item) ?? []) })
      }
      const answers = await readAll<T>(wanted, rulesOf(options), async (missing) => {
        const asked = missing.map((key) => itemOf.get(key) ?? key)
        const values = await fill(asked)
        return new Map(asked.map((item, index) => [missing[index] ?? item, values.get(item)]))
      })
      const found = new Map<string, Cached<T>>()
      for (const [item, key] of keyOf) {
        const answer = answers.get(key)
        if (answer !== undefined) found.set(item, answer)
      }
      return found
    },
    drop: (tags) => flights.drop(tags),
  }
}

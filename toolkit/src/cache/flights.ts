import type { Env } from '../base/env.ts'
import { DropLog } from './drop-log.ts'
import { frozenJson, jsonText } from './json.ts'
import type { CacheEntry, CacheKey, CacheStore, Kept, Tags } from './store.ts'

/** How one reader takes what was found or filled. */
export interface Rules {
  readonly ttlMs: number
  readonly keepMs: number
  readonly staleIf: (error: unknown) => boolean
}

/** A value, and when the fill that made it began. */
export interface Made {
  readonly value: unknown
  readonly begunAt: number
}

type Found = Made & Pick<Kept, 'ttlMs' | 'keepMs'>

/** What became of a read under way. It never rejects: nobody may be waiting for it. */
export type Outcome =
  | { readonly was: 'found'; readonly found: Found }
  | { readonly was: 'filled'; readonly made: Made }
  | { readonly was: 'absent' }
  /** `fallback` is past its time. */
  | { readonly was: 'failed'; readonly error: unknown; readonly fallback: Found | undefined }

/** A read under way. */
export class Flight implements CacheKey {
  readonly key: string
  readonly tags: readonly string[]
  readonly rules: Rules
  readonly begunAt: number
  /** Where the log of drops stood. */
  readonly position: number
  /** Undefined while it is under way. */
  landed: Outcome | undefined
  #waiting: PromiseWithResolvers<Outcome> | undefined

  constructor({ key, tags }: CacheKey, rules: Rules, begunAt: number, position: number) {
    this.key = key
    this.tags = tags
    this.rules = rules
    this.begunAt = begunAt
    this.position = position
  }

  /** For those who join: most flights land before anybody does. */
  landing(): Promise<Outcome> {
    this.#waiting ??= Promise.withResolvers()
    return this.#waiting.promise
  }

  land(outcome: Outcome): void {
    this.landed = outcome
    this.#waiting?.resolve(outcome)
  }
}

export type Fill = (missing: readonly string[]) => Promise<ReadonlyMap<string, unknown>>

/** A read that takes longer has hung; whoever comes then tries anew. */
const joinableMs = 10_000

export const isFresh = (found: Found, rules: Rules, now: number): boolean =>
  now - found.begunAt < Math.min(found.ttlMs, rules.ttlMs)

export const mayStandIn = (found: Found, rules: Rules, now: number): boolean =>
  now - found.begunAt < Math.min(found.keepMs, rules.keepMs)

/**
 * Reads under way, one for each key: whoever asks for the key meanwhile joins it (collapsed forwarding). A drop takes its flights off
 * the list: who waits already is answered with what they make, but nobody joins them any more, and it is not kept.
 */
export class Flights {
  readonly #env: Env
  readonly #store: CacheStore
  readonly #flights = new Map<string, Flight>()
  readonly #drops = new DropLog()

  constructor(env: Env, store: CacheStore) {
    this.#env = env
    this.#store = store
  }

  /** The flight that there is, or a new one, which the caller must then run. */
  board(key: CacheKey, rules: Rules): { readonly flight: Flight; readonly leads: boolean } {
    const now = this.#env.now()
    const there = this.#flights.get(key.key)
    if (there !== undefined && now - there.begunAt < joinableMs)
      return { flight: there, leads: false }
    const flight = new Flight(key, rules, now, this.#drops.position)
    this.#flights.set(key.key, flight)
    return { flight, leads: true }
  }

  /** Whether what it found has been dropped meanwhile. */
  isDropped(flight: Flight): boolean {
    return this.#drops.droppedSince(flight.position, flight.tags)
  }

  drop(tags: Tags): void {
    this.#drops.add(tags)
    if (tags === 'all') this.#flights.clear()
    else
      for (const flight of this.#flights.values())
        if (tags.some((tag) => flight.tags.includes(tag))) this.#flights.delete(flight.key)
  }

  /** Finds or fills, and settles every flight. */
  async run(flights: readonly Flight[], fill: Fill): Promise<void> {
    const past = new Map<Flight, Found>()
    try {
      // Ages count from before the question: an entry may look older than it is, never younger.
      const askedAt = this.#env.now()
      const { kept, lease } = await this.#store.get(flights)
      for (const [index, flight] of flights.entries()) {
        const entry = kept[index]
        if (entry === undefined) continue
        const found = { ...entry, begunAt: askedAt - entry.ageMs }
        if (isFresh(found, flight.rules, this.#env.now()))
          this.#land(flight, { was: 'found', found })
        else past.set(flight, found)
      }
      const missing = flights.filter(({ landed }) => landed === undefined)
      if (missing.length > 0) await this.#fill(missing, fill, lease)
    } catch (error) {
      for (const flight of flights)
        if (flight.landed === undefined)
          this.#land(flight, { was: 'failed', error, fallback: past.get(flight) })
    }
  }

  async #fill(flights: readonly Flight[], fill: Fill, lease: unknown): Promise<void> {
    const begunAt = this.#env.now()
    const values = await fill(flights.map(({ key }) => key))
    const made = flights.map((flight) => ({
      flight,
      json: jsonText(flight.key, values.get(flight.key)),
    }))
    const ageMs = this.#env.now() - begunAt
    const entries: CacheEntry[] = []
    for (const { flight, json } of made) {
      if (json === undefined) {
        this.#land(flight, { was: 'absent' })
        continue
      }
      const { key, tags, rules } = flight
      const { ttlMs, keepMs } = rules
      const value = frozenJson(json)
      if (this.#isListed(flight)) entries.push({ key, tags, value, json, ageMs, ttlMs, keepMs })
      this.#land(flight, { was: 'filled', made: { value, begunAt } })
    }
    // Nobody waits until it is kept.
    if (entries.length > 0) void this.#store.put(entries, lease)
  }

  #isListed(flight: Flight): boolean {
    return this.#flights.get(flight.key) === flight
  }

  #land(flight: Flight, outcome: Outcome): void {
    if (this.#isListed(flight)) this.#flights.delete(flight.key)
    flight.land(outcome)
  }
}

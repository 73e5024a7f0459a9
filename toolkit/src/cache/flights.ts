import type { Env } from '../base/env.ts'
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
  /** `fallback` is past its time, and was not dropped meanwhile. */
  | { readonly was: 'failed'; readonly error: unknown; readonly fallback: Found | undefined }

interface Flight extends CacheKey {
  readonly rules: Rules
  readonly begunAt: number
  readonly outcome: Promise<Outcome>
  readonly settle: (outcome: Outcome) => void
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

  constructor(env: Env, store: CacheStore) {
    this.#env = env
    this.#store = store
  }

  /** The flight that there is, or a new one, which the caller must then run. */
  board(
    { key, tags }: CacheKey,
    rules: Rules,
  ): { readonly flight: Flight; readonly leads: boolean } {
    const now = this.#env.now()
    const there = this.#flights.get(key)
    if (there !== undefined && now - there.begunAt < joinableMs)
      return { flight: there, leads: false }
    const { promise: outcome, resolve: settle } = Promise.withResolvers<Outcome>()
    const flight = { key, tags, rules, begunAt: now, outcome, settle }
    this.#flights.set(key, flight)
    return { flight, leads: true }
  }

  drop(tags: Tags): void {
    if (tags === 'all') this.#flights.clear()
    else
      for (const flight of this.#flights.values())
        if (tags.some((tag) => flight.tags.includes(tag))) this.#flights.delete(flight.key)
  }

  /** Finds or fills, and settles every flight. */
  async run(flights: readonly Flight[], fill: Fill): Promise<void> {
    // An age told later than this only makes the entry look older than it is.
    const askedAt = this.#env.now()
    const { kept, lease } = await this.#store.get(flights)
    const now = this.#env.now()
    const missing: { readonly flight: Flight; readonly past: Found | undefined }[] = []
    for (const [index, flight] of flights.entries()) {
      const entry = kept[index]
      const found = entry === undefined ? undefined : { ...entry, begunAt: askedAt - entry.ageMs }
      if (found !== undefined && isFresh(found, flight.rules, now))
        this.#land(flight, { was: 'found', found })
      else missing.push({ flight, past: found })
    }
    if (missing.length === 0) return
    const begunAt = this.#env.now()
    try {
      const values = await fill(missing.map(({ flight }) => flight.key))
      const made = missing.map(({ flight }) => {
        const json = jsonText(flight.key, values.get(flight.key))
        return { flight, json, value: json === undefined ? undefined : frozenJson(json) }
      })
      const ageMs = this.#env.now() - begunAt
      const entries: CacheEntry[] = []
      for (const { flight, json, value } of made) {
        const { key, tags, rules } = flight
        if (json !== undefined && this.#isListed(flight) && ageMs < rules.keepMs)
          entries.push({ key, tags, value, json, ageMs, ttlMs: rules.ttlMs, keepMs: rules.keepMs })
        this.#land(
          flight,
          json === undefined ? { was: 'absent' } : { was: 'filled', made: { value, begunAt } },
        )
      }
      // Nobody waits until it is kept.
      if (entries.length > 0) void this.#store.put(entries, lease)
    } catch (error) {
      for (const { flight, past } of missing)
        this.#land(flight, {
          was: 'failed',
          error,
          fallback: this.#isListed(flight) ? past : undefined,
        })
    }
  }

  #isListed(flight: Flight): boolean {
    return this.#flights.get(flight.key) === flight
  }

  #land(flight: Flight, outcome: Outcome): void {
    if (this.#isListed(flight)) this.#flights.delete(flight.key)
    flight.settle(outcome)
  }
}

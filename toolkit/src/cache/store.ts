import type { Env } from '../base/env.ts'

/** Which entries to drop: those that bear one of these tags (`contract/tag`, as every cache of a system knows them), or all. */
export type Tags = readonly string[] | 'all'

/**
 * The cache port. A cache is never the truth: it may lose entries at any time, but what it answers is what was put, whole, and was
 * not dropped. Ages are measured by one clock, the engine's own, so that hosts whose clocks differ can share entries.
 */
export interface CacheStore {
  /**
   * What is kept under some keys, and a lease for what is not (Nishtala et al., Scaling Memcache at Facebook, NSDI 2013): it remembers
   * how the keys' tags stood, so that what is filled from here on is refused if one of them is dropped meanwhile, by whichever host.
   */
  get(wanted: readonly CacheKey[]): Promise<CacheAnswer>
  /** Keeps entries under the lease that was given when their fill began. */
  put(entries: readonly CacheEntry[], lease: unknown): Promise<void>
  /** When it resolves, nobody is answered what was put, or leased, before. */
  drop(tags: Tags): Promise<void>
  close(): Promise<void>
}

export interface CacheKey {
  readonly key: string
  /** The same for a key each time. */
  readonly tags: readonly string[]
}

/** What a fill made. */
export interface CacheEntry extends CacheKey {
  /** Of JSON, deeply frozen. */
  readonly value: unknown
  /** The value's JSON text. */
  readonly json: string
  /** Since the fill began, in milliseconds. */
  readonly ageMs: number
  /** Until this age it is fresh. */
  readonly ttlMs: number
  /** Until this age it is kept; at least `ttlMs`. */
  readonly keepMs: number
}

/** What was found, deeply frozen. */
export type Kept = Pick<CacheEntry, 'value' | 'ageMs' | 'ttlMs' | 'keepMs'>

export interface CacheAnswer {
  /** In the order of the keys. */
  readonly kept: readonly (Kept | undefined)[]
  /** The engine's own. */
  readonly lease: unknown
}

/** What a setup names to say where services cache. */
export interface CacheEngine {
  /** For people: the engine and where it is, without secrets. */
  readonly name: string
  /** Its calls leave the process, and may fail or hang: they are held to a short deadline. Those of an engine in the process never reject. */
  readonly remote: boolean
  open(env: Env): Promise<CacheStore>
}

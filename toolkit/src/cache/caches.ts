import type { Env } from '../base/env.ts'
import type { Logger } from '../telemetry/log.ts'
import { guardedCache } from './guarded.ts'
import { serviceCache, type DroppableCache, type ServiceCache } from './service-cache.ts'
import type { CacheEngine, Tags } from './store.ts'

/** Every cache of one process. */
export interface Caches {
  /** The cache of a contract's service; its keys and tags get the contract's name before them. */
  of(contract: string): ServiceCache
  /** Has a cache in front of the services, such as an edge's, dropped from too. */
  add(front: { drop(tags: Tags): void }): void
  /**
   * Drops what bears one of the tags from every cache; after a gap in what is known of changes, everything. Never rejects: when it resolves, no
   * read that begins after it is answered with what was kept before.
   */
  purge(tags: Tags): Promise<void>
  close(): Promise<void>
}

export interface CachesOptions {
  readonly env: Env
  readonly log: Logger
  readonly engine: CacheEngine
}

export const openCaches = async ({ env, log, engine }: CachesOptions): Promise<Caches> => {
  const opened = await engine.open(env)
  const store = engine.remote ? guardedCache(opened, env, log) : opened
  const services = new Map<string, DroppableCache>()
  const fronts = new Set<{ drop(tags: Tags): void }>()
  return {
    of: (contract) => {
      const cache = services.get(contract) ?? serviceCache(contract, env, store)
      services.set(contract, cache)
      return cache
    },
    add: (front) => void fronts.add(front),
    purge: async (tags) => {
      if (tags.length === 0) return
      await store.drop(tags)
      for (const cache of services.values()) cache.drop(tags)
      // Last: what a front fetches from here on comes from services that have dropped.
      for (const front of fronts) front.drop(tags)
    },
    close: () => store.close(),
  }
}

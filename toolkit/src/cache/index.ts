export { openCaches } from './caches.ts'
export type { Caches, CachesOptions } from './caches.ts'
export { DropLog } from './drop-log.ts'
export { frozenJson } from './json.ts'
export type { Cached, CacheManyOptions, CacheOptions, ServiceCache } from './service-cache.ts'
export type {
  CacheAnswer,
  CacheEngine,
  CacheEntry,
  CacheKey,
  CacheStore,
  Kept,
  Tags,
} from './store.ts'
export { TaggedLru } from './tagged-lru.ts'

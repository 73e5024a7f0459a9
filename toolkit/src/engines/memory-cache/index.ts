import type { CacheEngine } from '../../cache/index.ts'
import { memoryCacheStore } from './store.ts'

export interface MemoryCacheOptions {
  /** Default 100 000. */
  readonly maxEntries?: number
  /** About, for all entries together; default 64 MiB. */
  readonly maxBytes?: number
}

/** A cache in this process, gone with it. When it is full, what was not used for longest goes first. */
export const memoryCache = (options: MemoryCacheOptions = {}): CacheEngine => ({
  name: 'memory',
  remote: false,
  open: async (env) =>
    memoryCacheStore(env, {
      maxEntries: options.maxEntries ?? 100_000,
      maxBytes: options.maxBytes ?? 64 * 1024 * 1024,
    }),
})

import type { Env } from '../../base/env.ts'
import {
  DropLog,
  TaggedLru,
  type CacheEntry,
  type CacheStore,
  type Kept,
} from '../../cache/index.ts'

interface Row {
  readonly entry: CacheEntry
  /** When its fill began, milliseconds since the epoch. */
  readonly begunAt: number
}

/** About what a row costs beside its texts: the value's objects, the maps' slots. */
const overheadBytes = 500

const bytesOf = ({ key, json, tags }: CacheEntry): number =>
  overheadBytes + 2 * key.length + 4 * json.length + 100 * tags.length

export const memoryCacheStore = (
  env: Env,
  limits: { readonly maxEntries: number; readonly maxBytes: number },
): CacheStore => {
  const rows = new TaggedLru<Row>(limits)
  const drops = new DropLog()
  const find = (key: string): Kept | undefined => {
    const row = rows.get(key)
    if (row === undefined) return undefined
    const ageMs = env.now() - row.begunAt
    const { value, ttlMs, keepMs } = row.entry
    // A clock that was set back tells no ages.
    if (ageMs >= 0 && ageMs < keepMs) return { value, ageMs, ttlMs, keepMs }
    rows.delete(key)
    return undefined
  }
  return {
    get: async (wanted) => ({ kept: wanted.map(({ key }) => find(key)), lease: drops.position }),
    put: async (entries, lease: number) => {
      for (const entry of entries)
        if (!drops.droppedSince(lease, entry.tags)) {
          const row = { entry, begunAt: env.now() - entry.ageMs }
          rows.set(entry.key, row, bytesOf(entry), entry.tags)
        }
    },
    drop: async (tags) => {
      drops.add(tags)
      rows.drop(tags)
    },
    close: async () => rows.drop('all'),
  }
}

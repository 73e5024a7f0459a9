import { describe, expect, test } from 'vitest'
import type { CacheEntry, CacheStore } from '../../cache/index.ts'
import { cacheSuite } from '../../testing/cache.suite.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import { memoryCache, type MemoryCacheOptions } from './index.ts'

cacheSuite('memory', async () => {
  const env = manualEnv()
  const store = await memoryCache().open(env)
  return {
    first: store,
    second: store,
    advance: (ms) => env.advance(ms),
    toleranceMs: 0,
    end: () => store.close(),
  }
})

describe('memory: bounds', () => {
  const open = async (options: MemoryCacheOptions) => {
    let now = 1_000_000
    const env = { ...manualEnv(), now: () => now }
    const store = await memoryCache(options).open(env)
    const put = async (key: string, json = '1', more: Partial<CacheEntry> = {}) => {
      const value: unknown = JSON.parse(json)
      const times = { ageMs: 0, ttlMs: 1_000, keepMs: 1_000 }
      await store.put([{ key, tags: [], json, value, ...times, ...more }], await leaseOf(store))
    }
    const has = async (key: string) => (await store.get([{ key, tags: [] }])).kept[0] !== undefined
    return { store, put, has, setClock: (at: number) => void (now = at), now: () => now }
  }
  const leaseOf = async (store: CacheStore) => (await store.get([])).lease

  test('what was not used for longest goes first when there are too many', async () => {
    const { put, has } = await open({ maxEntries: 2 })
    await put('a')
    await put('b')
    expect(await has('a')).toBe(true)
    await put('c')
    expect([await has('a'), await has('b'), await has('c')]).toEqual([true, false, true])
  })

  test('what is large takes the place of many, and what is too large is not kept', async () => {
    const { put, has } = await open({ maxBytes: 10_000 })
    for (const key of ['a', 'b', 'c']) await put(key, JSON.stringify('x'.repeat(200)))
    await put('d', JSON.stringify('x'.repeat(1_800)))
    expect([await has('a'), await has('c'), await has('d')]).toEqual([false, true, true])
    await put('d', JSON.stringify('x'.repeat(5_000)))
    expect([await has('c'), await has('d')]).toEqual([true, false])
  })

  test('a clock that was set back tells no ages: what is kept counts as gone', async () => {
    const { put, has, setClock, now } = await open({})
    await put('a')
    setClock(now() - 1)
    expect(await has('a')).toBe(false)
  })

  test('closed, it has nothing left', async () => {
    const { store, put, has } = await open({})
    await put('a')
    await store.close()
    expect(await has('a')).toBe(false)
  })
})

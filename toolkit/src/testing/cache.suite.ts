import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { frozenJson, type CacheEntry, type CacheStore, type Kept } from '../cache/index.ts'

/** One cache as two hosts have it open: the same store twice where it lives in the process. */
export interface CacheUnderTest {
  readonly first: CacheStore
  readonly second: CacheStore
  /** Moves the engine's clock, or waits. */
  advance(ms: number): Promise<void>
  /** How exactly the engine keeps time. */
  readonly toleranceMs: number
  end(): Promise<void>
}

let made = 0
const unique = (name: string) => `${name}-${++made}`

const entry = (
  key: string,
  json: string,
  more: Partial<Pick<CacheEntry, 'tags' | 'ageMs' | 'ttlMs' | 'keepMs'>> = {},
): CacheEntry => ({
  key,
  json,
  value: frozenJson(json),
  tags: [],
  ageMs: 0,
  ttlMs: 60_000,
  keepMs: 60_000,
  ...more,
})

/** The contract of the cache port. */
export const cacheSuite = (name: string, open: () => Promise<CacheUnderTest>) => {
  describe(`${name}: the cache port`, () => {
    let system: CacheUnderTest | undefined
    beforeAll(async () => void (system = await open()), 60_000)
    afterAll(async () => system?.end(), 20_000)
    const at = () => {
      if (system === undefined) throw new Error('the cache is not open')
      return system
    }

    const find = async (store: CacheStore, key: string, tags: readonly string[] = []) =>
      (await store.get([{ key, tags }])).kept[0]
    /** What a fill that begins now may put with. */
    const lease = async (store: CacheStore, ...keys: Pick<CacheEntry, 'key' | 'tags'>[]) =>
      (await store.get(keys)).lease
    const put = async (store: CacheStore, ...entries: CacheEntry[]) =>
      store.put(entries, await lease(store, ...entries))
    const valueOf = (kept: Kept | undefined) => kept?.value

    test('answers what was put, in the order of the keys', async () => {
      const { first, second } = at()
      const [a, b, none] = [unique('a'), unique('b'), unique('none')]
      await put(first, entry(a, '1'), entry(b, '2'))
      const wanted = [b, none, a].map((key) => ({ key, tags: [] }))
      expect((await first.get(wanted)).kept.map(valueOf)).toEqual([2, undefined, 1])
      expect((await second.get(wanted)).kept.map(valueOf)).toEqual([2, undefined, 1])
    })

    test('a value comes back as it was, and nobody can change it', async () => {
      const { first, second } = at()
      const key = unique('value')
      const value = { text: 'ü\u2028"', none: null, list: [1, -0.5, [true]], deep: { '': {} } }
      await put(first, entry(key, JSON.stringify(value)))
      for (const store of [first, second]) {
        const found = valueOf(await find(store, key))
        expect(found).toEqual(value)
        expect(Object.isFrozen((found as typeof value).deep)).toBe(true)
        expect(Object.isFrozen((found as typeof value).list[2])).toBe(true)
      }
      const texts = ['null', '0', 'false', '""', '[]']
      for (const json of texts) {
        await put(first, entry(key, json))
        expect(valueOf(await find(second, key))).toEqual(JSON.parse(json))
      }
    })

    test('a later value takes the place of the one before', async () => {
      const { first, second } = at()
      const key = unique('again')
      await put(first, entry(key, '1', { ttlMs: 10, keepMs: 20_000 }))
      await put(second, entry(key, '2'))
      expect(await find(first, key)).toMatchObject({ value: 2, ttlMs: 60_000, keepMs: 60_000 })
    })

    test('tells an entry’s age, from the beginning of its fill, and its times', async () => {
      const { first, advance, toleranceMs } = at()
      const key = unique('age')
      await put(first, entry(key, '1', { ageMs: 300, ttlMs: 2_000, keepMs: 5_000 }))
      await advance(500)
      const found = await find(first, key)
      expect(found).toMatchObject({ ttlMs: 2_000, keepMs: 5_000 })
      expect(found?.ageMs).toBeGreaterThanOrEqual(800)
      expect(found?.ageMs).toBeLessThanOrEqual(800 + toleranceMs)
    })

    test('forgets an entry at the age until which it is kept', async () => {
      const { first, second, advance, toleranceMs } = at()
      const [key, old] = [unique('kept'), unique('old')]
      await put(first, entry(key, '1', { ageMs: 100, ttlMs: 200, keepMs: 600 + toleranceMs }))
      await put(first, entry(old, '1', { ageMs: 600, ttlMs: 200, keepMs: 600 }))
      expect(await find(first, old)).toBeUndefined()
      await advance(499)
      expect(valueOf(await find(second, key))).toBe(1)
      await advance(1 + toleranceMs)
      expect(await find(first, key)).toBeUndefined()
      expect(await find(second, key)).toBeUndefined()
    })

    test('drops what bears one of the tags, and nothing else', async () => {
      const { first, second } = at()
      const [one, both, other] = [unique('one'), unique('both'), unique('other')]
      const [a, b, c] = [unique('tag:a'), unique('tag:b'), unique('tag:c')]
      const entries = [
        entry(one, '1', { tags: [a] }),
        entry(both, '2', { tags: [c, b] }),
        entry(other, '3', { tags: [c] }),
      ]
      await put(first, ...entries)
      await second.drop([b, a, unique('of nothing')])
      for (const store of [first, second])
        expect((await store.get(entries)).kept.map(valueOf)).toEqual([undefined, undefined, 3])
      await first.drop([])
      await put(first, entry(one, '4', { tags: [a] }))
      expect(valueOf(await find(second, one, [a]))).toBe(4)
    })

    test('drops all', async () => {
      const { first, second } = at()
      const entries = [entry(unique('a'), '1', { tags: [unique('tag')] }), entry(unique('b'), '2')]
      const before = await lease(first, ...entries)
      await put(first, ...entries)
      await second.drop('all')
      expect((await first.get(entries)).kept).toEqual([undefined, undefined])
      await first.put(entries, before)
      expect((await first.get(entries)).kept).toEqual([undefined, undefined])
      await put(first, ...entries)
      expect((await first.get(entries)).kept.map(valueOf)).toEqual([1, 2])
    })

    test('refuses what was filled under a lease from before a drop of one of its tags', async () => {
      const { first, second } = at()
      const [a, b] = [unique('tag:a'), unique('tag:b')]
      const entries = [
        entry(unique('dropped'), '1', { tags: [b, a] }),
        entry(unique('other'), '2', { tags: [b] }),
        entry(unique('untagged'), '3'),
      ]
      for (const dropper of [first, second]) {
        const before = await lease(first, ...entries)
        await dropper.drop([a])
        await first.put(entries, before)
        expect((await first.get(entries)).kept.map(valueOf)).toEqual([undefined, 2, 3])
        expect((await second.get(entries)).kept.map(valueOf)).toEqual([undefined, 2, 3])
      }
      await put(second, ...entries)
      expect((await first.get(entries)).kept.map(valueOf)).toEqual([1, 2, 3])
    })

    test('a drop under way at the same time as a put leaves nothing from before it', async () => {
      const { first, second } = at()
      const tag = unique('tag')
      const entries = Array.from({ length: 20 }, (_, n) =>
        entry(unique('racing'), `${n}`, { tags: [tag] }),
      )
      const before = await lease(first, ...entries)
      await Promise.all([
        ...entries.slice(0, 10).map((one) => first.put([one], before)),
        second.drop([tag]),
        ...entries.slice(10).map((one) => second.put([one], before)),
      ])
      expect((await first.get(entries)).kept.every((one) => one === undefined)).toBe(true)
    })

    test('takes many keys at once', async () => {
      const { first, second } = at()
      const entries = Array.from({ length: 1_200 }, (_, n) =>
        entry(unique('many'), `{"n":${n}}`, { tags: [unique('tag')] }),
      )
      await put(first, ...entries)
      const { kept } = await second.get(entries)
      expect(kept.map(valueOf)).toEqual(entries.map((_, n) => ({ n })))
      expect((await first.get([])).kept).toEqual([])
    })
  })
}

import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { cachesUnderTest, gate } from './fixture.suite.ts'

const under = async () => {
  const made = await cachesUnderTest()
  const cache = made.caches.of('catalog')
  const asked: (readonly string[])[] = []
  let prices = 0
  const price = async (missing: readonly string[]) => {
    asked.push(missing)
    prices += 1
    return new Map(missing.filter((sku) => sku !== 'none').map((sku) => [sku, `${sku}@${prices}`]))
  }
  const options = {
    ttl: '1s',
    key: (sku: string) => `price:${sku}`,
    tags: (sku: string) => [`product:${sku}`],
  } as const
  const read = async (...skus: string[]) =>
    Object.fromEntries(
      [...(await cache.readMany(skus, options, price))].map(([sku, { value }]) => [sku, value]),
    )
  return { ...made, cache, asked, options, read }
}

test('what is missing is filled in one call, under the items’ own names', async () => {
  const { read, asked, cache } = await under()
  expect(await read('a', 'b', 'a')).toEqual({ a: 'a@1', b: 'b@1' })
  expect(await read('b', 'c', 'd')).toEqual({ b: 'b@1', c: 'c@2', d: 'd@2' })
  expect(await read()).toEqual({})
  expect(asked).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ])
  const one = await cache.read('price:c', { ttl: '1s' }, async () => 'other')
  expect(one.value).toBe('c@2')
})

test('what the fill leaves out is left out, and not kept', async () => {
  const { read, asked } = await under()
  expect(await read('a', 'none')).toEqual({ a: 'a@1' })
  expect(await read('none')).toEqual({})
  expect(asked).toEqual([['a', 'none'], ['none']])
})

test('items that share a key are filled once, and all answered', async () => {
  const { cache } = await under()
  const asked: string[] = []
  const found = await cache.readMany(
    ['A', 'b', 'a', 'B'],
    { ttl: '1s', key: (item) => item.toLowerCase() },
    async (missing) => {
      asked.push(...missing)
      return new Map(missing.map((item) => [item, item]))
    },
  )
  expect([...found].map(([item, { value }]) => [item, value])).toEqual([
    ['A', 'A'],
    ['b', 'b'],
    ['a', 'A'],
    ['B', 'b'],
  ])
  expect(asked).toEqual(['A', 'b'])
})

test('the answers come in the order of the items, and bear age and staleness', async () => {
  const { env, cache, options, read } = await under()
  await read('b')
  await env.advance(400)
  await read('c')
  await env.advance(100)
  const found = await cache.readMany(['a', 'b', 'c'], options, async () => new Map([['a', 1]]))
  expect([...found]).toEqual([
    ['a', { value: 1, age: 0, stale: false }],
    ['b', { value: 'b@1', age: 500, stale: false }],
    ['c', { value: 'c@2', age: 100, stale: false }],
  ])
})

test('what was found is in its time when the others are filled, or is filled too', async () => {
  const { cache, env, options, read, asked } = await under()
  await read('a')
  await env.advance(999)
  const slow = gate<Map<string, string>>()
  const fills: (readonly string[])[] = []
  const reading = cache.readMany(['a', 'b'], options, (missing) => {
    fills.push(missing)
    return fills.length === 1 ? slow.fill() : Promise.resolve(new Map([['a', 'new']]))
  })
  await env.advance(1)
  slow.resolve(new Map([['b', 'slow']]))
  expect([...(await reading)]).toEqual([
    ['a', { value: 'new', age: 0, stale: false }],
    ['b', { value: 'slow', age: 1, stale: false }],
  ])
  expect([fills, asked]).toEqual([[['b'], ['a']], [['a']]])
})

test('what was found and is dropped while the others are filled is filled too', async () => {
  const { cache, caches, options, env, read } = await under()
  await read('a')
  const slow = gate<Map<string, string>>()
  const news = async () => new Map([['a', 'new']])
  const fill = (missing: readonly string[]) => (missing.includes('b') ? slow.fill() : news())
  const reading = cache.readMany(['a', 'b'], options, fill)
  await env.advance(0)
  await caches.purge(['catalog/product:a'])
  slow.resolve(new Map([['b', 'slow']]))
  const found = await reading
  expect([found.get('a')?.value, found.get('b')?.value]).toEqual(['new', 'slow'])
})

test('a drop of one item’s tag has that item alone filled anew', async () => {
  const { read, asked, caches } = await under()
  await read('a', 'b')
  await caches.purge(['catalog/product:a'])
  expect(await read('a', 'b')).toEqual({ a: 'a@2', b: 'b@1' })
  expect(asked[1]).toEqual(['a'])
})

test('a drop while many are filled throws away that one', async () => {
  const { cache, caches, options, env, read } = await under()
  const slow = gate<Map<string, string>>()
  const first = cache.readMany(['a', 'b'], options, slow.fill)
  await env.advance(0)
  await caches.purge(['catalog/product:a'])
  slow.resolve(
    new Map([
      ['a', 'old a'],
      ['b', 'old b'],
    ]),
  )
  expect((await first).get('a')).toMatchObject({ value: 'old a' })
  expect(await read('a', 'b')).toEqual({ a: 'a@1', b: 'old b' })
})

test('reads of overlapping items fill each item once, and do not wait for each other in a circle', async () => {
  const { cache, options, env } = await under()
  const gates = [gate<Map<string, string>>(), gate<Map<string, string>>()]
  const asked: string[][] = []
  const reading = (n: number, ...items: string[]) =>
    cache.readMany(items, options, (missing) => {
      asked.push([...missing])
      return gates[n]?.fill() ?? Promise.resolve(new Map())
    })
  const first = reading(0, 'a', 'b')
  const second = reading(1, 'b', 'c', 'a')
  await env.advance(0)
  expect(asked).toEqual([['a', 'b'], ['c']])
  gates[1]?.resolve(new Map([['c', 'second']]))
  gates[0]?.resolve(
    new Map([
      ['a', 'first'],
      ['b', 'first'],
    ]),
  )
  expect([...(await second)].map(([item, { value }]) => [item, value])).toEqual([
    ['b', 'first'],
    ['c', 'second'],
    ['a', 'first'],
  ])
  expect((await first).size).toBe(2)
})

test('who joined an item of one that gave up fills it for himself', async () => {
  const { cache, options, env, read } = await under()
  const theirs = gate<Map<string, string>>()
  const first = cache.readMany(['a', 'b'], options, theirs.fill).catch((e: unknown) => e)
  const joined = read('b', 'c')
  await env.advance(0)
  theirs.reject(failure('cancelled'))
  expect(await first).toMatchObject({ code: 'cancelled' })
  expect(await joined).toEqual({ c: 'c@1', b: 'b@2' })
})

test('when the fill fails, all that is asked has a stand-in, or the read fails', async () => {
  const { cache, env, options } = await under()
  const stale = { ...options, staleFor: '1m' } as const
  const away = async () => {
    throw failure('unavailable')
  }
  const fill = async (missing: readonly string[]) => new Map(missing.map((sku) => [sku, sku]))
  await cache.readMany(['a', 'b'], stale, fill)
  await env.advance(500)
  await cache.readMany(['c'], stale, fill)
  await env.advance(500)
  expect([...(await cache.readMany(['a', 'b', 'c'], stale, away)).values()]).toEqual([
    { value: 'a', age: 1_000, stale: true },
    { value: 'b', age: 1_000, stale: true },
    { value: 'c', age: 500, stale: false },
  ])
  const failed = await cache.readMany(['a', 'd'], stale, away).catch((e) => e)
  expect(failed).toMatchObject({ code: 'unavailable' })
})

test('one value that is no JSON fails the read, and nothing of it is kept', async () => {
  const { cache, options, read } = await under()
  const fill = async () =>
    new Map<string, unknown>([
      ['a', 1],
      ['b', 1n],
    ])
  expect(await cache.readMany(['a', 'b'], options, fill).catch((e) => e)).toMatchObject({
    code: 'internal',
  })
  expect(await read('a', 'b')).toEqual({ a: 'a@1', b: 'b@1' })
})

test('a thousand items at once', async () => {
  const { read, asked } = await under()
  const skus = Array.from({ length: 1_200 }, (_, n) => `s${n}`)
  await read(...skus)
  expect(Object.keys(await read(...skus, 'one more'))).toHaveLength(1_201)
  expect(asked.map((missing) => missing.length)).toEqual([1_200, 1])
})

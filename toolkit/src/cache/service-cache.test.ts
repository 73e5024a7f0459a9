import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { cachesUnderTest, gate } from './fixture.suite.ts'
import type { CacheOptions, ServiceCache } from './service-cache.ts'

const under = async () => {
  const made = await cachesUnderTest()
  return { ...made, cache: made.caches.of('catalog') }
}

/** Counts its fills. */
const counting = (cache: ServiceCache, options: CacheOptions, key = 'a') => {
  let fills = 0
  return Object.assign(() => cache.read(key, options, async () => ++fills), { fills: () => fills })
}

const unavailable = async () => {
  throw failure('unavailable')
}

test('answers what was filled until its time is over, to the millisecond', async () => {
  const { env, cache } = await under()
  const read = counting(cache, { ttl: '1s' })
  expect(await read()).toEqual({ value: 1, age: 0, stale: false })
  await env.advance(999)
  expect(await read()).toEqual({ value: 1, age: 999, stale: false })
  await env.advance(1)
  expect(await read()).toEqual({ value: 2, age: 0, stale: false })
})

test('an age counts from the beginning of the fill', async () => {
  const { env, cache } = await under()
  const slow = gate<string>()
  const first = cache.read('a', { ttl: 1_000 }, slow.fill)
  await env.advance(400)
  slow.resolve('slow')
  expect(await first).toEqual({ value: 'slow', age: 400, stale: false })
  await env.advance(599)
  expect(await cache.read('a', { ttl: 1_000 }, unavailable)).toMatchObject({ age: 999 })
  await env.advance(1)
  expect(await cache.read('a', { ttl: 1_000 }, unavailable).catch((e) => e)).toMatchObject({
    code: 'unavailable',
  })
})

test('what took longer to fill than it may be kept is answered and not kept', async () => {
  const { env, cache } = await under()
  const slow = gate<string>()
  const first = cache.read('a', { ttl: 100 }, slow.fill)
  await env.advance(100)
  slow.resolve('slow')
  expect((await first).value).toBe('slow')
  expect((await cache.read('a', { ttl: 100 }, async () => 'new')).value).toBe('new')
})

test('a reader who takes only what is younger has his own time', async () => {
  const { env, cache } = await under()
  const read = counting(cache, { ttl: '1m' })
  await read()
  await env.advance(5_000)
  const fill = async () => 'younger'
  expect((await cache.read('a', { ttl: '6s' }, fill)).value).toBe(1)
  expect((await cache.read('a', { ttl: '5s' }, fill)).value).toBe('younger')
})

test('of reads at the same moment one fills', async () => {
  const { cache } = await under()
  const slow = gate<number>()
  const reads = Promise.all(
    Array.from({ length: 100 }, () => cache.read('a', { ttl: '1s' }, slow.fill)),
  )
  slow.resolve(7)
  expect(new Set((await reads).map(({ value }) => value))).toEqual(new Set([7]))
  expect(slow.begun).toBe(1)
})

test('an error goes to all who waited, and is not kept', async () => {
  const { cache } = await under()
  const slow = gate<number>()
  const reads = [1, 2].map(() => cache.read('a', { ttl: '1s' }, slow.fill).catch((e: unknown) => e))
  slow.reject(new Error('no'))
  expect(await Promise.all(reads)).toEqual([new Error('no'), new Error('no')])
  expect((await cache.read('a', { ttl: '1s' }, async () => 1)).value).toBe(1)
})

test('who joined one that ran out of time, or gave up, fills for himself', async () => {
  const { env, cache } = await under()
  for (const code of ['cancelled', 'deadline-exceeded'] as const) {
    const theirs = gate<string>()
    const first = cache.read(code, { ttl: '1s' }, theirs.fill).catch((e: unknown) => e)
    const joined = ['x', 'y'].map((who) => cache.read(code, { ttl: '1s' }, async () => who))
    await env.advance(0)
    theirs.reject(failure(code))
    expect(await first).toMatchObject({ code })
    expect((await Promise.all(joined)).map(({ value }) => value)).toEqual(['x', 'x'])
  }
})

test('a read that hangs is joined for ten seconds', async () => {
  const { env, cache } = await under()
  const hanging = gate<string>()
  const first = cache.read('a', { ttl: '1m' }, hanging.fill)
  await env.advance(9_999)
  const joined = cache.read('a', { ttl: '1m' }, hanging.fill)
  await env.advance(1)
  expect((await cache.read('a', { ttl: '1m' }, async () => 'new')).value).toBe('new')
  hanging.resolve('late')
  expect((await Promise.all([first, joined])).map(({ value }) => value)).toEqual(['late', 'late'])
  // What came late is older than what is kept.
  expect((await cache.read('a', { ttl: '1m' }, unavailable)).value).toBe('new')
})

test('a value is JSON, the same for the first reader as for later ones, and frozen', async () => {
  const { cache } = await under()
  const given = { at: new Date(0), no: undefined, list: [{ n: 1 }] }
  const read = () => cache.read<unknown>('a', { ttl: '1s' }, async () => given)
  const first = (await read()).value as typeof given
  expect(first).toEqual({ at: '1970-01-01T00:00:00.000Z', list: [{ n: 1 }] })
  given.list[0] = { n: 2 }
  expect((await read()).value).toBe(first)
  expect(Object.isFrozen(first.list[0])).toBe(true)
  expect(Object.isFrozen(given)).toBe(false)
})

test('null is kept, undefined is not', async () => {
  const { cache } = await under()
  expect((await cache.read('a', { ttl: '1s' }, async () => null)).value).toBeNull()
  expect((await cache.read<unknown>('a', { ttl: '1s' }, async () => 1)).value).toBeNull()
  const none = await cache.read('b', { ttl: '1s' }, async () => undefined)
  expect(none).toEqual({ value: undefined, age: 0, stale: false })
  expect((await cache.read<unknown>('b', { ttl: '1s' }, async () => 1)).value).toBe(1)
})

test('what is no JSON is a failure of the fill', async () => {
  const { cache } = await under()
  const failed = await cache.read('a', { ttl: '1s' }, async () => 1n).catch((e) => e)
  expect(failed).toMatchObject({ code: 'internal' })
  expect((await cache.read('a', { ttl: '1s' }, async () => 1)).value).toBe(1)
})

test('a fill that throws at once fails its read, and leaves nothing behind', async () => {
  const { cache } = await under()
  const failed = await cache
    .read('a', { ttl: '1s' }, () => {
      throw new Error('at once')
    })
    .catch((e) => e)
  expect(failed).toEqual(new Error('at once'))
  expect((await cache.read('a', { ttl: '1s' }, async () => 1)).value).toBe(1)
})

test('a wrong time is a failure that names it', async () => {
  const { cache } = await under()
  const failed = await cache.read('a', { ttl: -1 }, async () => 1).catch((e) => e)
  expect(failed).toMatchObject({ code: 'misconfigured', message: expect.stringContaining('-1') })
})

test('services do not see each other’s entries', async () => {
  const { cache, caches } = await under()
  await cache.read('a', { ttl: '1s' }, async () => 'catalog’s')
  const other = await caches.of('orders').read('a', { ttl: '1s' }, async () => 'orders’')
  expect(other.value).toBe('orders’')
  expect(caches.of('catalog')).toBe(cache)
})

test('past its time an entry stands in for a fill that fails, while it may', async () => {
  const { env, cache } = await under()
  const options = { ttl: '1s', staleFor: '2s' } as const
  const read = counting(cache, options)
  await read()
  await env.advance(1_000)
  expect(await cache.read('a', options, unavailable)).toEqual({ value: 1, age: 1_000, stale: true })
  await env.advance(1_999)
  expect(await cache.read('a', options, unavailable)).toEqual({ value: 1, age: 2_999, stale: true })
  await env.advance(1)
  expect(await cache.read('a', options, unavailable).catch((e) => e)).toMatchObject({
    code: 'unavailable',
  })
  expect(await read()).toEqual({ value: 2, age: 0, stale: false })
})

test('a stand-in is as old as it may be when the fill has failed, not when it began', async () => {
  const { env, cache } = await under()
  const options = { ttl: '1s', staleFor: '1s' } as const
  await counting(cache, options)()
  await env.advance(1_500)
  const [soon, late] = [gate<number>(), gate<number>()]
  const first = cache.read('a', options, soon.fill)
  await env.advance(499)
  soon.reject(failure('unavailable'))
  expect(await first).toEqual({ value: 1, age: 1_999, stale: true })
  const second = cache.read('a', options, late.fill).catch((e: unknown) => e)
  await env.advance(1)
  late.reject(failure('unavailable'))
  expect(await second).toMatchObject({ code: 'unavailable' })
})

test('only unavailability has a stand-in, unless the reader says otherwise', async () => {
  const { env, cache } = await under()
  const options = { ttl: '1s', staleFor: '1m' } as const
  await counting(cache, options)()
  await env.advance(1_000)
  const wrong = async () => {
    throw new Error('wrong')
  }
  expect(await cache.read('a', options, wrong).catch((e) => e)).toEqual(new Error('wrong'))
  expect(await cache.read('a', { ...options, staleIf: () => true }, wrong)).toMatchObject({
    value: 1,
    stale: true,
  })
  const never = { ...options, staleIf: () => false }
  expect(await cache.read('a', never, unavailable).catch((e) => e)).toMatchObject({
    code: 'unavailable',
  })
})

test('without staleFor there is no stand-in, also for who joins a read that has one', async () => {
  const { env, cache } = await under()
  const options = { ttl: '1s', staleFor: '1m' } as const
  await counting(cache, options)()
  await env.advance(1_000)
  const failing = gate<number>()
  const first = cache.read('a', options, failing.fill)
  const joined = cache.read('a', { ttl: '1s' }, failing.fill).catch((e: unknown) => e)
  await env.advance(0)
  failing.reject(failure('unavailable'))
  expect(await first).toMatchObject({ value: 1, stale: true })
  expect(await joined).toMatchObject({ code: 'unavailable' })
})

test('a drop of one of its tags drops an entry, and no other', async () => {
  const { cache, caches } = await under()
  const a = counting(cache, { ttl: '1m', tags: ['product:a', 'products'] }, 'a')
  const b = counting(cache, { ttl: '1m', tags: ['product:b', 'products'] }, 'b')
  const others = counting(caches.of('orders'), { ttl: '1m', tags: ['product:a'] }, 'a')
  const all = async () => [(await a()).value, (await b()).value, (await others()).value]
  await all()
  await caches.purge(['catalog/product:a'])
  expect(await all()).toEqual([2, 1, 1])
  await caches.purge(['catalog/products'])
  expect(await all()).toEqual([3, 2, 1])
  await caches.purge('all')
  expect(await all()).toEqual([4, 3, 2])
  await caches.purge([])
  expect(await all()).toEqual([4, 3, 2])
})

test('a fill that began before a drop answers who waited, and nobody else', async () => {
  const { env, cache, caches } = await under()
  for (const tags of [['catalog/t'], 'all'] as const) {
    const options = { ttl: '1m', tags: ['other', 't'] } as const
    const [before, after] = [gate<string>(), gate<string>()]
    const key = String(tags)
    const early = [1, 2].map(() => cache.read(key, options, before.fill))
    await env.advance(0)
    await caches.purge(tags)
    const late = cache.read(key, options, after.fill)
    before.resolve('old')
    expect((await Promise.all(early)).map(({ value }) => value)).toEqual(['old', 'old'])
    const later = cache.read(key, options, after.fill)
    after.resolve('new')
    expect((await Promise.all([late, later])).map(({ value }) => value)).toEqual(['new', 'new'])
    expect(after.begun).toBe(1)
    expect((await cache.read(key, options, unavailable)).value).toBe('new')
  }
})

test('what was dropped stands in for nothing', async () => {
  const { env, cache, caches } = await under()
  const options = { ttl: '1s', staleFor: '1m', tags: ['t'] } as const
  await counting(cache, options)()
  await env.advance(1_000)
  const failing = gate<number>()
  const read = cache.read('a', options, failing.fill).catch((e: unknown) => e)
  await env.advance(0)
  await caches.purge(['catalog/t'])
  failing.reject(failure('unavailable'))
  expect(await read).toMatchObject({ code: 'unavailable' })
  expect(await cache.read('a', options, unavailable).catch((e) => e)).toMatchObject({
    code: 'unavailable',
  })
})

test('caches in front of the services are dropped after them', async () => {
  const { cache, caches } = await under()
  const read = counting(cache, { ttl: '1m', tags: ['t'] })
  await read()
  const seen: unknown[] = []
  caches.add({
    drop: (tags) =>
      void seen.push(
        tags,
        cache.read('a', { ttl: '1m' }, async () => 'new'),
      ),
  })
  await caches.purge(['catalog/t'])
  expect(seen[0]).toEqual(['catalog/t'])
  expect(await seen[1]).toMatchObject({ value: 'new' })
})

import { expect, test } from 'vitest'
import { cachesUnderTest, gate, remoteCache } from './fixture.suite.ts'

const under = async () => {
  const remote = remoteCache()
  const made = await cachesUnderTest(remote.engine)
  const cache = made.caches.of('catalog')
  let fills = 0
  const read = (key = 'a', tags = ['t']) =>
    cache.read(key, { ttl: '1m', tags }, async () => `${key}${++fills}`)
  const value = async (key?: string, tags?: string[]) => (await read(key, tags)).value
  return { ...made, ...remote, cache, read, value }
}

test('a cache that fails is no reason for a read to fail', async () => {
  const { state, value, logged } = await under()
  state.is = 'failing'
  expect([await value(), await value()]).toEqual(['a1', 'a2'])
  expect(logged[0]).toMatchObject({
    level: 'warn',
    message: 'the cache did not answer',
    call: 'cache.get',
    error: { code: 'unavailable', cause: { message: 'ECONNREFUSED' } },
  })
  state.is = 'well'
  expect([await value(), await value()]).toEqual(['a3', 'a3'])
})

test('a cache that hangs holds a read up for a quarter of a second', async () => {
  const { env, state, read } = await under()
  state.is = 'hanging'
  const begun = read()
  await env.advance(249)
  expect(await Promise.race([begun, Promise.resolve('waiting')])).toBe('waiting')
  await env.advance(1)
  expect(await begun).toEqual({ value: 'a1', age: 0, stale: false })
})

test('nobody waits for what is filled to be kept', async () => {
  const { env, state, cache } = await under()
  const slow = gate<string>()
  const begun = cache.read('a', { ttl: '1m' }, slow.fill)
  await env.advance(0)
  state.is = 'hanging'
  slow.resolve('filled')
  expect((await begun).value).toBe('filled')
  await env.advance(250)
  expect(env.waiting).toBe(0)
})

test('a cache that is away is left alone, and tried again each second', async () => {
  const { env, state, value, calls, logged } = await under()
  state.is = 'failing'
  for (let n = 0; n < 30; n++) await value(`k${n}`)
  const tried = calls.length
  const told = logged.length
  await value()
  expect([calls.length, logged.length]).toEqual([tried, told])
  state.is = 'well'
  await env.advance(1_000)
  expect([await value('b'), await value('b')]).toEqual(['b32', 'b32'])
})

test('an entry that came from afar counts its age from before the question', async () => {
  const { env, state, cache } = await under()
  const read = (fill: () => Promise<number>) => cache.read('a', { ttl: '1s' }, fill)
  await read(async () => 1)
  state.is = 'slow'
  await env.advance(700)
  const early = read(async () => 2)
  await env.advance(150)
  expect(await early).toEqual({ value: 1, age: 850, stale: false })
  const late = read(async () => 2)
  await env.advance(150)
  expect(await late).toEqual({ value: 2, age: 0, stale: false })
})

test('a drop that did not reach the cache is tried again, and until then nothing is answered from it', async () => {
  const { env, state, value, caches, calls } = await under()
  expect([await value(), await value('b', ['u'])]).toEqual(['a1', 'b2'])
  for (const is of ['failing', 'hanging'] as const) {
    state.is = is
    const purged = caches.purge(['catalog/t'])
    await env.advance(250)
    await purged
    state.is = 'well'
    const before = await value()
    expect(await value()).not.toBe(before)
    expect(await value('b', ['u'])).toBe('b2')
    calls.length = 0
    await env.advance(1_000)
    expect(calls).toEqual(['drop catalog/t'])
    const after = await value()
    expect(await value()).toBe(after)
  }
  expect(env.waiting).toBe(0)
})

test('a drop of all that did not reach the cache has nothing answered from it', async () => {
  const { env, state, value, caches } = await under()
  await value()
  await value('b', ['u'])
  state.is = 'failing'
  await caches.purge(['catalog/t'])
  await caches.purge('all')
  state.is = 'well'
  expect([await value(), await value(), await value('b', ['u'])]).toEqual(['a3', 'a4', 'b5'])
  await env.advance(1_000)
  expect([await value(), await value()]).toEqual(['a6', 'a6'])
})

test('drops that are not reached are counted, and past ten thousand tags everything is dropped', async () => {
  const { env, state, value, caches, calls } = await under()
  await value('b', ['u'])
  state.is = 'failing'
  await caches.purge(Array.from({ length: 10_001 }, (_, n) => `catalog/${n}`))
  state.is = 'well'
  expect(await value('b', ['u'])).toBe('b2')
  calls.length = 0
  await env.advance(1_000)
  expect(calls).toEqual(['drop all'])
})

test('a drop that fails while an older one is tried again is not forgotten', async () => {
  const { env, state, value, caches, calls } = await under()
  state.is = 'failing'
  await caches.purge(['catalog/t'])
  state.is = 'hanging'
  await env.advance(1_000)
  // The retry hangs; the next drop of the same tag fails at once.
  state.is = 'failing'
  await caches.purge(['catalog/t', 'catalog/u'])
  state.is = 'well'
  await env.advance(250)
  expect(await value('b', ['u'])).not.toBe(await value('b', ['u']))
  calls.length = 0
  await env.advance(1_000)
  expect(calls).toEqual(['drop catalog/t,catalog/u'])
  expect(await value('b', ['u'])).toBe(await value('b', ['u']))
})

for (const tags of [['catalog/t'], 'all'] as const)
  test(`a drop of ${String(tags)} that fails while an older one is reaching the cache still waits`, async () => {
    const { env, state, caches, calls } = await under()
    state.is = 'failing'
    await caches.purge(tags)
    state.is = 'slow'
    await env.advance(1_000)
    state.is = 'failing'
    await caches.purge(tags)
    state.is = 'well'
    await env.advance(150)
    calls.length = 0
    await env.advance(1_000)
    expect(calls).toEqual([`drop ${String(tags)}`])
    expect(env.waiting).toBe(0)
  })

test('a purge is over when the cache has dropped', async () => {
  const { env, state, caches, value } = await under()
  await value()
  state.is = 'slow'
  const purged = caches.purge(['catalog/t']).then(() => 'over')
  await env.advance(149)
  expect(await Promise.race([purged, Promise.resolve('waiting')])).toBe('waiting')
  await env.advance(1)
  expect(await purged).toBe('over')
  state.is = 'well'
  expect(await value()).toBe('a2')
})

test('a fill that began before a drop that did not reach the cache is not kept', async () => {
  const { env, state, cache, caches, value } = await under()
  const slow = gate<string>()
  const begun = cache.read('a', { ttl: '1m', tags: ['t'] }, slow.fill)
  await env.advance(0)
  state.is = 'failing'
  await caches.purge(['catalog/t'])
  state.is = 'well'
  slow.resolve('old')
  expect((await begun).value).toBe('old')
  await env.advance(1_000)
  expect(await value()).toBe('a1')
})

test('closed, it tries nothing any more', async () => {
  const { env, state, caches, calls } = await under()
  state.is = 'failing'
  await caches.purge(['catalog/t'])
  await caches.close()
  calls.length = 0
  await env.advance(5_000)
  expect([calls, env.waiting]).toEqual([[], 0])
})

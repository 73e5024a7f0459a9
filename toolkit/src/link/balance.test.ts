import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { manualEnv } from '../testing/index.ts'
import { balancedLink } from './balance.ts'
import type { Call, Reply } from './call.ts'
import type { Directory, Peer } from './directory.ts'
import { callTo } from './placement.suite.ts'

const peer = (id: string, contracts = ['made']): Peer => ({ id, address: id, contracts })

const setting = (
  first: readonly Peer[],
  answer: (address: string, call: Call) => Promise<Reply> | Reply = (value) => ({ value }),
) => {
  const env = manualEnv()
  let tell: (peers: readonly Peer[]) => void = () => undefined
  const directory: Directory = {
    watch: (told) => {
      tell = told
      told(first)
      return () => undefined
    },
    announce: () => Promise.resolve(),
  }
  const counts = new Map<string, number>()
  const forgotten: string[] = []
  const greeted: string[] = []
  const link = balancedLink({
    env,
    directory,
    reads: ({ operation }) => operation === 'look',
    forget: (address) => forgotten.push(address),
    greet: (id) => greeted.push(id),
    linkTo: (address) => {
      if (address === 'none') throw new TypeError('Invalid URL')
      return {
        call: async (call) => {
          counts.set(address, (counts.get(address) ?? 0) + 1)
          return answer(address, call)
        },
      }
    },
  })
  const call = (more: Partial<Call> = {}) =>
    link.call(callTo('read', { deadline: env.now() + 1_000, ...more })).then(
      (reply) => (reply.remembered === undefined ? reply.value : reply),
      (error: { code: string }) => error.code,
    )
  const calls = async (times: number) => {
    counts.clear()
    for (let nth = 0; nth < times; nth++) await call()
    return Object.fromEntries(counts)
  }
  return {
    env,
    link,
    call,
    calls,
    counts,
    forgotten,
    greeted,
    tell: (peers: readonly Peer[]) => tell(peers),
  }
}

test('calls go to the hosts that serve the contract, about as many to each', async () => {
  const { calls, link, call } = setting([peer('a'), peer('b'), peer('c', ['other'])])
  const { a = 0, b = 0, ...others } = await calls(1_000)
  expect(others).toEqual({})
  expect(Math.min(a, b)).toBeGreaterThan(400)
  expect([link.serves('made'), link.serves('nothing')]).toEqual([true, false])
  expect(await call({ contract: 'nothing' })).toBe('unavailable')
})

test('a host whose address changes is called there; one whose address is none fails with why', async () => {
  const { calls, call, tell } = setting([peer('a')])
  expect(await calls(2)).toEqual({ a: 2 })
  tell([{ ...peer('a'), address: 'b' }])
  expect(await calls(2)).toEqual({ b: 2 })
  tell([{ ...peer('a'), address: 'none' }, peer('c')])
  expect(await calls(20)).toEqual({ c: 20 })
  tell([{ ...peer('a'), address: 'none' }])
  expect(await call()).toBe('unavailable')
})

test('an address at which no host is known any more is forgotten', () => {
  const { tell, forgotten } = setting([peer('a'), { ...peer('b'), address: 'c' }])
  tell([peer('a'), peer('b')])
  expect(forgotten).toEqual(['c'])
  tell([{ ...peer('started anew'), address: 'a' }])
  expect(forgotten).toEqual(['c', 'b'])
  tell([])
  expect(forgotten).toEqual(['c', 'b', 'a'])
})

test('a host that answers slowly gets fewer', async () => {
  const waiting: (() => void)[] = []
  const { call, counts } = setting([peer('slow'), peer('fast')], (address) =>
    address === 'slow'
      ? new Promise<Reply>((resolve) => waiting.push(() => resolve({ value: 1 })))
      : { value: 2 },
  )
  for (let nth = 0; nth < 200; nth++) {
    void call()
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
  const { slow = 0, fast = 0 } = Object.fromEntries(counts)
  expect(slow).toBeLessThan(10)
  expect(fast).toBeGreaterThan(190)
  for (const end of waiting) end()
})

test('what was not sent goes to another host at once; what may have run does not', async () => {
  let ran: 'not-sent' | 'unknown' = 'not-sent'
  const { call, tell } = setting([peer('bad'), peer('good')], (address) => {
    if (address === 'bad') throw failure('unavailable', undefined, { ran })
    return { value: 'good' }
  })
  const answers = await Promise.all(Array.from({ length: 20 }, () => call()))
  expect(new Set(answers)).toEqual(new Set(['good']))
  ran = 'unknown'
  tell([])
  tell([peer('bad'), peer('good')])
  const after = await Promise.all(Array.from({ length: 20 }, () => call()))
  expect(new Set(after)).toEqual(new Set(['good', 'unavailable']))
})

test('when no host can be reached each is tried once, and the caller is told', async () => {
  const { call, counts } = setting([peer('a'), peer('b'), peer('c')], () => {
    throw failure('draining')
  })
  expect(await call()).toBe('draining')
  expect(Object.fromEntries(counts)).toEqual({ a: 1, b: 1, c: 1 })
})

test('a host that fails is left out, longer each time, and comes back', async () => {
  let down = true
  const { calls, env } = setting([peer('a'), peer('b')], (address) => {
    if (address === 'a' && down) throw failure('unknown-outcome')
    return { value: address }
  })
  const { a = 0 } = await calls(200)
  expect(a).toBe(5)
  await env.advance(1_001)
  expect((await calls(200))['a']).toBe(5)
  await env.advance(1_001)
  expect((await calls(50))['a']).toBe(undefined)
  await env.advance(1_000)
  down = false
  expect((await calls(200))['a']).toBeGreaterThan(50)
})

test('a declared problem and a refusal are no reason to leave a host out', async () => {
  const { calls } = setting([peer('a')], () => {
    throw failure('overloaded', undefined, { ran: 'ran' })
  })
  expect(await calls(20)).toEqual({ a: 20 })
})

test('a time-out counts against the host, a caller that gave up does not', async () => {
  for (const [reason, calls] of [
    ['cancelled', 40],
    ['deadline-exceeded', 5],
  ] as const) {
    const hangs = (address: string, call: Call) => {
      if (address === 'a') throw call.signal.reason
      return { value: 1 }
    }
    const { link, counts, tell } = setting([peer('a')], hangs)
    const givingUp = new AbortController()
    givingUp.abort(failure(reason))
    const call = () => link.call(callTo('read', { signal: givingUp.signal })).catch(() => undefined)
    for (let nth = 0; nth < calls; nth++) await call()
    tell([peer('a'), peer('b')])
    counts.clear()
    for (let nth = 0; nth < 40; nth++) await call()
    expect([reason, (counts.get('a') ?? 0) > 0]).toEqual([reason, reason === 'cancelled'])
  }
})

test('a new host only practises for a second while there are others, and gets its share little by little, also when they are busy', async () => {
  for (const busy of [false, true]) {
    const { env, call, counts, tell } = setting([peer('old')], (address) =>
      busy && address === 'old' ? new Promise(() => undefined) : { value: address },
    )
    tell([peer('old'), peer('new')])
    const share = async () => {
      counts.clear()
      for (let nth = 0; nth < 1_000; nth++) {
        void call()
        for (let turn = 0; turn < 10; turn++) await Promise.resolve()
      }
      return (counts.get('new') ?? 0) / 1_000
    }
    await env.advance(999)
    expect(await share()).toBe(0)
    await env.advance(901)
    const little = await share()
    expect(little).toBeGreaterThan(0)
    expect(little).toBeLessThan(0.2)
    await env.advance(8_100)
    expect(await share()).toBeGreaterThan(0.4)
  }
})

test('of hosts that are all as new, as when the others have left, the one with fewer calls under way is called', async () => {
  const { env, call, counts, tell } = setting([peer('old')], (address) =>
    address === 'slow' ? new Promise(() => undefined) : { value: address },
  )
  tell([peer('slow'), peer('quick')])
  await env.advance(2_000)
  for (let nth = 0; nth < 100; nth++) {
    void call()
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  }
  expect(counts.get('slow') ?? 0).toBeLessThan(2)
  expect(counts.get('quick')).toBeGreaterThan(98)
})

test('a new host is called at once where there is no other, or none that answers', async () => {
  const { env, call, tell } = setting([peer('old')], (address) => {
    if (address === 'old') throw failure('unavailable', 'it is gone', { ran: 'not-sent' })
    return { value: address }
  })
  const begun = env.now()
  tell([peer('old'), peer('new')])
  for (let nth = 0; nth < 10; nth++) expect(await call()).toBe('new')
  tell([peer('another')])
  expect(await call()).toBe('another')
  expect(env.now()).toBe(begun)
})

test('a new host practises on copies of the others’ reads, one at a time, and nobody hears what it answers', async () => {
  const practised: ((error?: Error) => void)[] = []
  const { env, call, calls, counts, tell } = setting([peer('old')], (address, { operation }) => {
    if (address === 'old' || operation !== 'look') return { value: address }
    return new Promise((_, reject) => practised.push(() => reject(new Error('it fails'))))
  })
  const look = () => call({ operation: 'look' })
  await calls(20)
  tell([peer('old'), peer('new')])
  for (let nth = 0; nth < 10; nth++) expect(await call()).toBe('old')
  expect(counts.get('new')).toBe(undefined)
  for (let nth = 0; nth < 10; nth++) expect(await look()).toBe('old')
  expect(counts.get('new')).toBe(1)
  practised.pop()?.()
  await Promise.resolve()
  for (let nth = 0; nth < 10; nth++) expect(await look()).toBe('old')
  expect(counts.get('new')).toBe(2)
  practised.pop()?.()
  await env.advance(10_000)
  tell([peer('new')])
  void look()
  expect(counts.get('new')).toBe(3)
})

test('several new hosts practise in turn', async () => {
  const practising: (() => void)[] = []
  const { call, counts, tell } = setting([peer('old')], (address) =>
    address === 'old'
      ? { value: address }
      : new Promise((resolve) => practising.push(() => resolve({ value: address }))),
  )
  tell([peer('old'), peer('new'), peer('another')])
  for (let nth = 1; nth <= 10; nth++) {
    for (let look = 0; look < 3; look++) expect(await call({ operation: 'look' })).toBe('old')
    expect(practising).toHaveLength(nth)
    practising.at(-1)?.()
    await Promise.resolve()
  }
  expect([counts.get('new'), counts.get('another')]).toEqual([5, 5])
})

test('a feed is under way until it ends', async () => {
  async function* feed() {
    yield 1
    yield 2
  }
  const { call, counts } = setting([peer('a'), peer('b')], () => ({ value: feed() }))
  const open = await Promise.all(Array.from({ length: 100 }, () => call()))
  const { a = 0, b = 0 } = Object.fromEntries(counts)
  expect(Math.abs(a - b)).toBeLessThan(10)
  for (const one of open as AsyncIterable<number>[]) {
    const got: number[] = []
    for await (const item of one) got.push(item)
    expect(got).toEqual([1, 2])
  }
})

test('each host is met once, when it comes, and again at another address', () => {
  const { tell, greeted } = setting([peer('a')])
  tell([peer('a'), peer('b')])
  tell([{ ...peer('a'), contracts: ['made', 'more'] }, peer('b')])
  tell([{ ...peer('a'), address: 'elsewhere' }, peer('b')])
  expect(greeted).toEqual(['a', 'b', 'a'])
})

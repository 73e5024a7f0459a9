import { expect, test } from 'vitest'
import { failure, type ServalError } from '../../base/failure.ts'
import { eventually } from '../../testing/eventually.ts'
import { isFeed, type Call, type Link, type Reply } from '../call.ts'
import { callTo } from '../placement.suite.ts'
import { windowBytes } from './stream.ts'
import { turns, wired } from './wires.suite.ts'

const answering = (answer: (call: Call) => Promise<Reply> | Reply): Link => ({
  call: async (call) => answer(call),
})
const never = () => new Promise<Reply>(() => undefined)
const failed = (reply: Promise<unknown>): Promise<ServalError> =>
  reply.then(
    () => {
      throw new Error('it was answered')
    },
    (error: ServalError) => error,
  )
const at = <T>(list: readonly T[], nth: number): T => {
  const found = list[nth]
  if (found === undefined) throw new Error(`there is no ${nth}`)
  return found
}

test('a token is sent once for all calls of a connection, and looked at for each', async () => {
  const { linkWith, tokens, clients, env } = wired(answering(({ caller }) => ({ value: caller })))
  const link = linkWith()
  const user = { kind: 'user', id: 'u', roles: ['r'.repeat(500)], session: 's' } as const
  const call = () => link.call(callTo('read', { caller: user, deadline: env.now() + 1_000 }))
  expect(await call()).toEqual({ value: user })
  const { taken } = at(clients, 0)
  for (let nth = 0; nth < 10; nth++) await call()
  expect(at(clients, 0).taken - taken).toBeLessThan(10 * 250)
  expect(tokens).toHaveLength(11)
  expect(clients).toHaveLength(1)
})

test('what was written when the connection broke may have run; what was not did not', async () => {
  const { linkWith, clients } = wired(answering(({ operation }) => (operation === 'hang' ? never() : { value: 1 }))) // prettier-ignore
  const link = linkWith()
  await link.call(callTo('read'))
  const written = failed(link.call(callTo('hang')))
  await turns(3)
  const client = at(clients, 0)
  client.held = true
  const held = failed(link.call(callTo('read')))
  const large = failed(link.call(callTo('read', { input: 'x'.repeat(1_000_000) })))
  await turns(3)
  client.cut()
  expect(await written).toMatchObject({ code: 'unknown-outcome', ran: 'unknown' })
  expect(await held).toMatchObject({ code: 'unavailable', ran: 'not-sent', retryable: true })
  expect(await large).toMatchObject({ code: 'unavailable', ran: 'not-sent' })
  expect(await link.call(callTo('read'))).toEqual({ value: 1 })
  expect(clients).toHaveLength(2)
})

test('calls begin in their order, however large, while the other side takes nothing; what is given up before it began is never heard of', async () => {
  const { linkWith, clients, lines } = wired(answering(({ input }) => ({ value: String(input).length }))) // prettier-ignore
  const link = linkWith()
  await link.call(callTo('read', { input: '' }))
  const client = at(clients, 0)
  client.held = true
  const gaveUp = new AbortController()
  const call = (length: number, signal?: AbortSignal) =>
    link.call(callTo('read', { input: 'x'.repeat(length), ...(signal && { signal }) }))
  const lengths = [100_000, 1, ...Array.from({ length: 20 }, () => 20_000), 2, 300_000, 3]
  const replies = lengths.map((length) => call(length))
  const givenUp = [4, 50_000].map((length) => failed(call(length, gaveUp.signal)))
  await turns(3)
  gaveUp.abort(failure('cancelled'))
  for (const one of await Promise.all(givenUp)) expect(one).toMatchObject({ code: 'cancelled' })
  const later = call(5)
  client.held = false
  client.pipe.wake()
  expect(await Promise.all([...replies, later])).toEqual(
    [...lengths, 5].map((value) => ({ value })),
  )
  expect(clients).toHaveLength(1)
  expect(lines).toEqual([])
})

test('while nobody can be reached, dials come less and less often, and calls fail at once', async () => {
  const { linkWith, env, dial } = wired(answering(() => ({ value: 1 })))
  let dials = 0
  let there = false
  const link = linkWith({
    dial: (address, open) => {
      dials += 1
      return there ? dial(address, open) : Promise.reject(failure('unavailable', 'nobody'))
    },
  })
  const call = () => link.call(callTo('read', { deadline: env.now() + 60_000 }))
  for (let ms = 0; ms < 2_000; ms += 10) {
    expect(await failed(call())).toMatchObject({ code: 'unavailable', ran: 'not-sent' })
    await env.advance(10)
  }
  expect(dials).toBeGreaterThan(4)
  expect(dials).toBeLessThan(12)
  there = true
  await env.advance(1_000)
  expect(await Promise.all([call(), call()])).toEqual([{ value: 1 }, { value: 1 }])
})

test('a peer that says nothing is asked, and given up after a while; one that answers is kept', async () => {
  const { linkWith, env, clients, servers } = wired(answering(({ operation }) => (operation === 'hang' ? never() : { value: 1 }))) // prettier-ignore
  const link = linkWith()
  const call = (operation: string) =>
    link.call(callTo(operation, { deadline: env.now() + 3_600_000 }))
  await call('read')
  for (let nth = 0; nth < 20; nth++) {
    await env.advance(5_000)
    await turns(4)
  }
  expect(await call('read')).toEqual({ value: 1 })
  expect(clients).toHaveLength(1)
  const hanging = failed(call('hang'))
  await turns(4)
  const server = at(servers, 0)
  server.held = true
  server.reading = false
  for (let nth = 0; nth < 4; nth++) await env.advance(5_000)
  const error = await hanging
  expect(error).toMatchObject({ code: 'unknown-outcome' })
  expect(error.message).toContain('is silent')
  expect(await call('read')).toEqual({ value: 1 })
  expect(clients).toHaveLength(2)
})

test('a large reply keeps no small one waiting', async () => {
  const { linkWith, clients, servers } = wired(
    answering(({ operation }) => ({ value: operation === 'large' ? 'x'.repeat(8_000_000) : 'small' })), // prettier-ignore
  )
  const link = linkWith()
  await link.call(callTo('small'))
  const before = at(servers, 0).taken
  let largeIsThere = false
  const large = link.call(callTo('large')).then((reply) => {
    largeIsThere = true
    return reply
  })
  await turns(4)
  for (let nth = 0; nth < 10; nth++) await link.call(callTo('small'))
  expect(largeIsThere).toBe(false)
  expect(at(servers, 0).taken - before).toBeLessThan(8_000_000)
  expect(await large).toEqual({ value: 'x'.repeat(8_000_000) })
  expect(clients).toHaveLength(1)
})

test('a feed that nobody reads is made as far as its window, and slows down nobody', async () => {
  let made = 0
  async function* endless() {
    for (;;) yield { nth: made++, text: 'x'.repeat(1_000) }
  }
  const { linkWith } = wired(
    answering(({ operation }) => ({ value: operation === 'feed' ? endless() : 'small' })),
  )
  const link = linkWith()
  const reply = await link.call(callTo('feed'))
  await turns(200)
  expect(made).toBeLessThan((2 * windowBytes) / 1_000)
  const stopped = made
  for (let nth = 0; nth < 100; nth++)
    expect(await link.call(callTo('read'))).toEqual({ value: 'small' })
  expect(made).toBe(stopped)
  if (!isFeed(reply)) throw new Error('it is no feed')
  let read = 0
  for await (const item of reply.value) {
    expect(item).toMatchObject({ nth: read })
    read += 1
    if (read === 1_000) break
  }
  expect(made).toBeGreaterThan(1_000)
  expect(made - read).toBeLessThan((2 * windowBytes) / 1_000)
})

test('an item larger than a window arrives', async () => {
  async function* large() {
    yield 'x'.repeat(3 * windowBytes)
    yield 'y'.repeat(3 * windowBytes)
  }
  const { linkWith } = wired(answering(() => ({ value: large() })))
  const reply = await linkWith().call(callTo('feed'))
  const lengths: number[] = []
  if (isFeed(reply)) for await (const item of reply.value) lengths.push(String(item).length)
  expect(lengths).toEqual([3 * windowBytes, 3 * windowBytes])
})

test('a client that does not read its replies is read no more, and others go on', async () => {
  let calls = 0
  const { linkWith, env, clients, servers } = wired(
    answering(() => {
      calls += 1
      return { value: 'x'.repeat(500_000) }
    }),
  )
  const [slow, quick] = [linkWith(), linkWith()]
  await slow.call(callTo('read'))
  const server = at(servers, 0)
  server.held = true
  const lost: Promise<unknown>[] = []
  for (let nth = 0; nth < 200; nth++) {
    lost.push(
      slow.call(callTo('read', { deadline: env.now() + 60_000 })).catch((error: unknown) => error),
    )
    await turns(3)
  }
  expect(calls).toBeLessThan(20)
  expect(server.reading).toBe(false)
  expect(await quick.call(callTo('read'))).toEqual({ value: 'x'.repeat(500_000) })
  for (let nth = 0; nth < 5; nth++) await env.advance(5_000)
  expect(server.over).toBe(true)
  for (const error of await Promise.all(lost)) expect(error).toMatchObject({ kind: 'unavailable' })
  expect(clients).toHaveLength(2)
})

test('calls that cross the news that a host leaves are refused as not sent; those under way are answered', async () => {
  let answer: () => void = () => undefined
  const { linkWith, server, servers } = wired(
    answering(({ operation }) =>
      operation === 'slow'
        ? new Promise((resolve) => (answer = () => resolve({ value: 'slowly' })))
        : { value: 1 },
    ),
  )
  const link = linkWith()
  await link.call(callTo('read'))
  const slow = link.call(callTo('slow'))
  await turns(3)
  const crossing = Array.from({ length: 5 }, () => failed(link.call(callTo('read'))))
  const drained = server.drain()
  for (const error of await Promise.all(crossing))
    expect(error).toMatchObject({ code: 'draining', ran: 'not-sent' })
  expect(await failed(link.call(callTo('read')))).toMatchObject({ code: 'draining' })
  expect(at(servers, 0).over).toBe(false)
  answer()
  expect(await slow).toEqual({ value: 'slowly' })
  await drained
  expect(at(servers, 0).over).toBe(true)
  expect(await failed(link.call(callTo('read')))).toMatchObject({ ran: 'not-sent' })
})

test('a feed ends when its host leaves, so that its reader goes on elsewhere', async () => {
  async function* one() {
    yield 1
    await never()
  }
  const { linkWith, server } = wired(answering(() => ({ value: one() })))
  const reply = await linkWith().call(callTo('feed'))
  if (!isFeed(reply)) throw new Error('it is no feed')
  const items = reply.value[Symbol.asyncIterator]()
  expect(await items.next()).toEqual({ done: false, value: 1 })
  server.leave()
  expect(await failed(items.next())).toMatchObject({ code: 'draining' })
  await server.drain()
})

test('a connection that has no numbers left is replaced, and nothing that it carried is lost', async () => {
  const { linkWith, clients, servers } = wired(
    answering(async ({ input }) => {
      await turns(3)
      return { value: input }
    }),
  )
  const link = linkWith({ lastStream: 4 })
  const replies = []
  for (let nth = 0; nth < 20; nth++) {
    replies.push(link.call(callTo('read', { input: nth })))
    await turns(1)
  }
  expect(await Promise.all(replies)).toEqual(Array.from({ length: 20 }, (_, value) => ({ value })))
  expect(clients.length).toBeGreaterThan(3)
  const open = () => servers.filter(({ over }) => !over).length
  await eventually(() => open() <= 1, 'the end of the connections that were used up')
})

test('a link that leaves ends after the calls and feeds under way, however large, and takes no more', async () => {
  let answer: () => void = () => undefined
  async function* feed() {
    yield 1
    await new Promise<void>((resolve) => (answer = resolve))
    yield 2
  }
  const { linkWith, servers } = wired(
    answering(({ operation, input }) => ({
      value: operation === 'feed' ? feed() : String(input).length,
    })),
  )
  const link = linkWith()
  const reply = await link.call(callTo('feed'))
  if (!isFeed(reply)) throw new Error('it is no feed')
  const items = reply.value[Symbol.asyncIterator]()
  expect(await items.next()).toMatchObject({ value: 1 })
  const large = link.call(callTo('read', { input: 'x'.repeat(1_000_000) }))
  const small = link.call(callTo('read', { input: 'x' }))
  for (let nth = 0; nth < 5; nth++) await Promise.resolve()
  link.leave()
  expect(await failed(link.call(callTo('read')))).toMatchObject({ code: 'unavailable', ran: 'not-sent', retryable: true }) // prettier-ignore
  expect([await large, await small]).toEqual([{ value: 1_000_000 }, { value: 1 }])
  expect([link.gone, at(servers, 0).over]).toEqual([false, false])
  answer()
  expect(await items.next()).toMatchObject({ value: 2 })
  expect(await items.next()).toMatchObject({ done: true })
  await eventually(() => link.gone && at(servers, 0).over, 'the end of the connection')
  expect(servers).toHaveLength(1)
})

test('a call and a reply that are too large fail alone', async () => {
  const { linkWith, clients } = wired(
    answering(({ operation }) => ({ value: operation === 'large' ? 'ü'.repeat(10_000_000) : 1 })),
  )
  const link = linkWith()
  const input = 'ü'.repeat(10_000_000)
  expect(await failed(link.call(callTo('read', { input })))).toMatchObject({ code: 'invalid-input' }) // prettier-ignore
  expect(await failed(link.call(callTo('large')))).toMatchObject({ code: 'internal' })
  expect(await link.call(callTo('read'))).toEqual({ value: 1 })
  expect(clients).toHaveLength(1)
})

test('whoever gave up is told to the other side, also when the call has not left', async () => {
  const aborted: unknown[] = []
  const { linkWith, clients } = wired(
    answering(({ signal, input }) => {
      signal.addEventListener('abort', () => void aborted.push(input))
      return never()
    }),
  )
  const link = linkWith()
  const giving = new AbortController()
  const under = failed(link.call(callTo('hang', { input: 'a', signal: giving.signal })))
  await turns(8)
  const client = at(clients, 0)
  client.held = true
  const large = { input: 'x'.repeat(1_000_000), signal: giving.signal }
  const waits = failed(link.call(callTo('hang', large)))
  await turns(2)
  giving.abort()
  for (const error of [await under, await waits]) expect(error).toMatchObject({ code: 'cancelled' })
  const before = client.taken
  client.held = false
  client.pipe.wake()
  await eventually(() => aborted.length > 0, 'the abort of the call on the other side')
  expect(aborted).toEqual(['a'])
  expect(client.taken - before).toBeLessThan(100)
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { contract, feed, get, problem } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import type { HttpReply } from '../link/http.ts'
import { service } from '../service/index.ts'
import { logger } from '../telemetry/log.ts'
import {
  eventually,
  manualEnv,
  startTestServices,
  type ManualEnv,
  type TestServices,
} from '../testing/index.ts'
import { edge } from './index.ts'
import { request } from './sample.suite.ts'

/* A feed that counts: it goes on until its reader has left. */

const Item = z.object({ id: z.string(), n: z.int() })
const NothingToCount = problem('nothing-to-count', {
  kind: 'not-found',
  title: 'There is nothing to count',
})
const counting = contract('counting', {
  operations: {
    count: feed({
      summary: 'Counts',
      access: 'public',
      http: get('/count/:upTo'),
      input: z.object({ upTo: z.int(), after: z.string().default('0') }),
      output: Item,
    }),
    mine: feed({
      summary: 'Counts for users',
      access: 'user',
      http: get('/mine'),
      input: z.object({}),
      output: Item,
    }),
    nothing: feed({
      summary: 'Has nothing to count',
      access: 'public',
      http: get('/nothing'),
      input: z.object({}),
      output: Item,
      problems: [NothingToCount],
    }),
  },
})
let left = 0
const countingService = service(counting, {
  operations: {
    async *count({ upTo, after }, { env, signal }) {
      try {
        for (let n = Number(after) + 1; n <= upTo; n++) yield { id: String(n), n }
        await env.sleep(1_000_000, signal)
      } finally {
        left += 1
      }
    },
    async *mine(_, { env, signal }) {
      yield { id: '1', n: 1 }
      await env.sleep(1_000_000, signal)
    },
    nothing: () => Promise.reject(NothingToCount(undefined)),
  },
})

let env: ManualEnv
let system: TestServices
beforeAll(async () => {
  env = manualEnv()
  system = await startTestServices({ services: [countingService], stores: memoryStores(), env })
})
afterAll(() => system.end())

const leaving = new AbortController()
let signedIn = true
const edgeOf = () =>
  edge({
    env,
    log: logger({ env, write: () => undefined }),
    contracts: [counting],
    link: system.link,
    serves: () => true,
    identify: async () =>
      signedIn ? { kind: 'user', id: 'u', roles: [], session: 's' } : undefined,
    leaving: leaving.signal,
  })
const ask = (headers: Record<string, string> = {}, signal?: AbortSignal, target = '/count/3') =>
  edgeOf()(request({ target, headers, ...(signal === undefined ? {} : { signal }) }))

const reader = (reply: HttpReply) => {
  const chunks = (reply.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  return {
    next: async () => new TextDecoder().decode((await chunks.next()).value as Uint8Array),
    leave: () => chunks.return?.(),
  }
}

test('a feed is an event stream; each item is an event with its id', async () => {
  const reply = await ask({ accept: 'text/event-stream' })
  expect(reply).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
  })
  const events = reader(reply)
  expect(await events.next()).toBe('id: 1\ndata: {"id":"1","n":1}\n\n')
  expect(await events.next()).toBe('id: 2\ndata: {"id":"2","n":2}\n\n')
  await events.leave()
})

test('a client that comes back goes on after the last event that it saw', async () => {
  const events = reader(await ask({ 'last-event-id': '2' }))
  expect(await events.next()).toContain('"n":3')
  await events.leave()
})

test('in silence there is a comment now and then', async () => {
  const events = reader(await ask({ 'last-event-id': '3' }))
  const silence = events.next()
  await env.advance(15_000)
  expect(await silence).toBe(': the feed goes on\n\n')
  await events.leave()
})

test('a feed outlives its call’s deadline, and ends with its client', async () => {
  const client = new AbortController()
  const before = left
  const events = reader(await ask({ 'last-event-id': '2' }, client.signal))
  await env.advance(60_000)
  expect(await events.next()).toContain('"n":3')
  const silence = events.next().catch(() => 'ended')
  client.abort()
  await silence
  await eventually(() => left === before + 1, 'the end of the feed')
})

test('a feed ends when its reader is signed in no more', async () => {
  const events = (await ask({}, undefined, '/mine')).body as AsyncIterable<Uint8Array>
  const chunks = events[Symbol.asyncIterator]()
  expect((await chunks.next()).done).toBe(false)
  const next = chunks.next()
  signedIn = false
  await env.advance(15_000)
  expect((await next).done).toBe(true)
  signedIn = true
})

test('a feed that fails before it begins is answered with a problem, not with a stream', async () => {
  expect(await ask({}, undefined, '/nothing')).toMatchObject({
    status: 404,
    headers: { 'content-type': 'application/problem+json' },
  })
})

test('a client that takes no event streams is refused', async () => {
  expect(await ask({ accept: 'application/json' })).toMatchObject({ status: 406 })
})

test('a client has only so many feeds open', async () => {
  const handle = edgeOf()
  const open = () => handle(request({ target: '/mine' }))
  const replies: HttpReply[] = []
  for (let at = 0; at < 20; at++) replies.push(await open())
  expect(replies.map(({ status }) => status)).toEqual(Array(20).fill(200))
  expect(await open()).toMatchObject({ status: 429, headers: { 'retry-after': '1' } })
  const [unread, read, ...rest] = replies.map(({ body }) =>
    (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator](),
  )
  await unread?.return?.()
  expect((await open()).status).toBe(200)
  await read?.next()
  await read?.return?.()
  await read?.return?.()
  expect((await open()).status).toBe(200)
  expect((await open()).status).toBe(429)
  for (const one of rest) await one.return?.()
})

test('feeds end when the host leaves', async () => {
  const events = (await ask({ 'last-event-id': '3' })).body as AsyncIterable<Uint8Array>
  const next = events[Symbol.asyncIterator]().next()
  await env.advance(0)
  leaving.abort()
  expect((await next).done).toBe(true)
})

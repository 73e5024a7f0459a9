import { brotliDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract, get, post, query } from '../contract/index.ts'
import { compress } from '../engines/http/compress.ts'
import type { HttpReply } from '../link/http.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv } from '../testing/manual-env.ts'
import {
  compression,
  cors,
  edge,
  rateLimit,
  responseCache,
  securityHeaders,
  type RateLimitOptions,
} from './index.ts'
import { fakeLink, request, type Asked } from './sample.suite.ts'

/* The whole edge, with all its stages in their places. */

const text = 'the same words, '.repeat(200)
const front = contract('front', {
  operations: {
    page: query({
      summary: 'A cached page',
      access: 'public',
      http: get('/pages/:id', { etag: true }),
      input: z.object({ id: z.string() }),
      output: z.object({ text: z.string() }),
      cache: { ttl: '5m', tags: ['page::id'] },
    }),
    login: command({
      summary: 'Signs in',
      access: 'public',
      repeat: 'never',
      http: post('/login'),
      input: z.object({ name: z.string() }),
      output: z.object({ token: z.string() }),
      limit: { requests: 2, per: '1m', by: 'address' },
    }),
    mine: query({
      summary: 'Mine',
      access: 'user',
      http: get('/mine'),
      input: z.object({}),
      output: z.object({ text: z.string() }),
    }),
  },
})

const shop = 'https://shop.example'

const wholeEdge = (policies: RateLimitOptions['policies'] = {}) => {
  const env = manualEnv()
  const compressed: string[] = []
  const link = fakeLink(front, ({ operation }) =>
    Promise.resolve({ value: operation === 'login' ? { token: text } : { text } }),
  )
  const log = logger({ env, write: () => undefined })
  const handle = edge({
    env,
    log,
    contracts: [front],
    link,
    serves: () => true,
    identify: (asked) =>
      Promise.resolve(
        asked.header('authorization') === undefined
          ? undefined
          : { kind: 'user', id: 'ann', roles: [], session: 's' },
      ),
    around: [securityHeaders(), cors({ origins: [shop] })],
    before: [
      compression({
        compress: (coding, bytes) => {
          compressed.push(coding)
          return compress(coding, bytes)
        },
      }),
    ],
    limits: rateLimit({
      env,
      policies,
      lifted: (asked) => asked.header('x-serval-operator') === 'the key',
    }),
    cache: responseCache({ env, log }).stage,
  })
  const ask = (asked: Asked): Promise<HttpReply> =>
    handle(request({ ...asked, headers: { origin: shop, ...asked.headers } }))
  return { ask, calls: link.calls, compressed }
}

test('every reply, refusals too, has the headers of all stages', async () => {
  const { ask } = wholeEdge({ address: { requests: 2, perMs: 60_000 } })
  const always = {
    'access-control-allow-origin': shop,
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-request-id': 'mine',
    'ratelimit-policy': '"address";q=2;w=60',
  }
  const headers = { 'x-request-id': 'mine' }
  expect(await ask({ target: '/pages/1', headers })).toMatchObject({
    status: 200,
    headers: { ...always, ratelimit: '"address";r=1;t=30' },
  })
  expect(await ask({ target: '/mine', headers })).toMatchObject({
    status: 401,
    headers: { ...always, ratelimit: '"address";r=0;t=30' },
  })
  expect(await ask({ target: '/pages/1', headers })).toMatchObject({
    status: 429,
    headers: { ...always, 'retry-after': '30', 'content-type': 'application/problem+json' },
  })
})

test('what is limited by address is refused before anybody is asked', async () => {
  const { ask, calls } = wholeEdge()
  const login = () => ask({ method: 'POST', target: '/login', body: '{"name":"ann"}' })
  expect([(await login()).status, (await login()).status, (await login()).status]).toEqual([
    200, 200, 429,
  ])
  expect(calls).toHaveLength(2)
})

test('the operator’s key lifts the limits, a wrong one does not', async () => {
  const { ask } = wholeEdge({ address: { requests: 1, perMs: 60_000 } })
  const read = async (key: string) =>
    (await ask({ target: '/pages/1', headers: { 'x-serval-operator': key } })).status
  for (let count = 0; count < 5; count++) expect(await read('the key')).toBe(200)
  expect([await read('another'), await read('another'), await read('')]).toEqual([200, 429, 429])
})

test('a preflight is answered and not counted', async () => {
  const { ask } = wholeEdge({ address: { requests: 1, perMs: 60_000 } })
  const headers = { 'access-control-request-method': 'GET' }
  for (let count = 0; count < 3; count++)
    expect(await ask({ method: 'OPTIONS', target: '/pages/1', headers })).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-methods': 'GET, HEAD', 'access-control-allow-origin': shop },
    })
  expect((await ask({ target: '/pages/1' })).status).toBe(200)
})

test('a cached reply is compressed once, counted each time, and known by its tag', async () => {
  const { ask, calls, compressed } = wholeEdge({ address: { requests: 10, perMs: 60_000 } })
  const headers = { 'accept-encoding': 'br' }
  const first = await ask({ target: '/pages/1', headers })
  const second = await ask({ target: '/pages/1', headers })
  expect(second.headers).toMatchObject({
    'content-encoding': 'br',
    'cache-status': expect.stringContaining('hit'),
    vary: 'accept-encoding, origin',
    ratelimit: '"address";r=8;t=6',
  })
  expect(second.body).toBe(first.body)
  expect(JSON.parse(brotliDecompressSync(second.body as Uint8Array).toString())).toEqual({ text })
  expect([calls.length, compressed]).toEqual([1, ['br']])
  const etag = String(second.headers['etag'])
  const known = await ask({ target: '/pages/1', headers: { ...headers, 'if-none-match': etag } })
  expect(known).toMatchObject({ status: 304, headers: { etag } })
  expect((await ask({ target: '/pages/1' })).headers['content-encoding']).toBeUndefined()
})

test('a reply with a token is not compressed', async () => {
  const { ask, compressed } = wholeEdge()
  const headers = { 'accept-encoding': 'br' }
  await ask({ method: 'POST', target: '/login', body: '{"name":"ann"}', headers })
  expect(compressed).toEqual([])
})

test('users are limited by who they are', async () => {
  const { ask } = wholeEdge({ caller: { requests: 1, perMs: 60_000 } })
  const headers = { authorization: 'Bearer x' }
  expect((await ask({ target: '/mine', headers })).headers).toMatchObject({
    'ratelimit-policy': '"caller";q=1;w=60',
  })
  expect((await ask({ target: '/mine', headers })).status).toBe(429)
  expect((await ask({ target: '/pages/1', headers })).status).toBe(200)
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { failure } from '../base/failure.ts'
import { command, contract, del, feed, get, patch } from '../contract/index.ts'
import {
  Closed,
  edgeUnderTest,
  NoSuchThing,
  request,
  sample,
  Slow,
  type Handle,
} from '../edge/sample.suite.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { httpClient, type HttpClientOptions } from './http-client.ts'

type Fetch = NonNullable<HttpClientOptions['fetch']>

/** A fetch that hands the request to an edge, as a server would. */
const overEdge = (reply?: Handle) => {
  const { handle, calls } = edgeUnderTest(reply === undefined ? {} : { reply })
  const sent: { url: URL; init: RequestInit }[] = []
  const fetch: Fetch = async (url, init) => {
    sent.push({ url, init })
    const headers = Object.fromEntries(new Headers(init.headers))
    const answer = await handle(
      request({
        method: init.method ?? 'GET',
        target: url.pathname + url.search,
        headers,
        body: typeof init.body === 'string' ? init.body : '',
      }),
    )
    const body =
      answer.status === 204 ? null : (answer.body as string | Uint8Array<ArrayBuffer> | undefined)
    return new Response(body ?? null, {
      status: answer.status,
      headers: answer.headers as Record<string, string>,
    })
  }
  return {
    fetch,
    calls,
    sent,
    client: httpClient(sample, {
      address: 'http://shop.test:8080',
      token: () => 'merchant',
      fetch,
    }),
  }
}
const answering = (status: number, body: string, headers: Record<string, string> = {}) =>
  httpClient(sample, {
    address: 'http://shop.test',
    fetch: () => Promise.resolve(new Response(body, { status, headers })),
  })

test('every kind of input arrives as it was sent', async () => {
  const { client, calls, sent } = overEdge()
  expect(await client.list({ q: 'a&b=c?#% ü+', limit: 5, ratio: 1e-7, exact: false })).toEqual({
    items: [{ q: 'a&b=c?#% ü+', limit: 5, ratio: 1e-7, exact: false }],
  })
  expect(await client.list({})).toEqual({ items: [{ limit: 20 }] })
  expect(await client.read({ sku: 'A/B C%2F?#' })).toEqual({ got: { sku: 'A/B C%2F?#' } })
  const thing = { sku: 'A', name: 'ü\n"', size: 0, tags: [{ id: '1', weight: 0.5 }, { id: '2' }] }
  expect(await client.create(thing, { key: 'k' })).toEqual({ sku: 'A' })
  expect(calls.at(-1)).toMatchObject({
    input: thing,
    key: 'k',
    caller: { kind: 'user', id: 'merchant' },
  })
  expect(await client.change({ sku: 'A', name: null })).toEqual({ got: { sku: 'A', name: null } })
  expect(await client.replace({ sku: '12', page: 3, open: true })).toEqual({
    got: { sku: '12', page: 3, open: true },
  })
  expect(await client.remove({ sku: 'a b', force: true })).toBeUndefined()
  expect(calls.at(-1)?.input).toEqual({ sku: 'a b', force: true })
  expect(await client.cancel({ sku: ':sku' })).toEqual({ got: { sku: ':sku' } })
  expect(await client.search({ words: ['a'], where: { b: { c: [1, null] } } })).toEqual({
    got: { words: ['a'], where: { b: { c: [1, null] } } },
  })
  expect(sent[0]?.url.origin).toBe('http://shop.test:8080')
})

test('an input without fields is an empty object where there is a body', async () => {
  const { client, calls } = overEdge()
  expect(await client.search({})).toEqual({ got: {} })
  await client.search({ words: undefined })
  await client.change({ sku: 'a' })
  expect(calls.map((call) => call.input)).toEqual([{}, {}, { sku: 'a' }])
})

test('any SKU and any number arrive', async () => {
  const { client } = overEdge()
  const ends = fc.stringMatching(/^[\x21-\x7e]$/)
  const sku = fc
    .tuple(ends, fc.stringMatching(/^[\x20-\x7e]{0,10}$/), ends)
    .map((parts) => parts.join(''))
    .filter((text) => text !== '..')
  await fc.assert(
    fc.asyncProperty(
      sku,
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
      fc.string({ unit: 'binary' }),
      async (text, ratio, q) => {
        expect(await client.read({ sku: text })).toEqual({ got: { sku: text } })
        expect(await client.list({ ratio })).toEqual({ items: [{ limit: 20, ratio }] })
        if (!q.includes('\0') && q.isWellFormed())
          expect(await client.list({ q })).toEqual({ items: [{ limit: 20, q }] })
      },
    ),
    { numRuns: 100 },
  )
})

test('what a path cannot hold is refused here, so that no other address is asked', async () => {
  const { client, sent } = overEdge()
  for (const sku of ['', '.', '..', undefined, null])
    await expect(client.remove({ sku: sku as string })).rejects.toMatchObject({
      code: 'invalid-input',
      ran: 'not-sent',
      message: expect.stringContaining('sample.remove'),
    })
  expect(sent).toHaveLength(0)
})

test('a problem comes back as the same failure: code, kind, words and data', async () => {
  for (const thrown of [
    Closed({ opensAt: '09:00' }, 'It opens at nine'),
    NoSuchThing({ sku: 'A' }),
    Slow({ retryAfterSeconds: 3 }),
    failure('conflict'),
    failure('forbidden'),
    failure('unauthenticated'),
    failure('idempotency-key-reused'),
    failure('overloaded'),
    failure('deadline-exceeded'),
  ]) {
    const { client } = overEdge(() => Promise.reject(thrown))
    const { code, kind, title, data } = thrown
    const heard: unknown = await client.read({ sku: 'A' }).catch((error: unknown) => error)
    expect(heard).toMatchObject({ name: 'ServalError', code, kind, title })
    expect((heard as typeof thrown).data).toEqual(data)
    if (kind !== 'unavailable' && kind !== 'deadline')
      expect(heard).toMatchObject({ message: thrown.message, ran: 'ran' })
  }
})

test('input that the server refuses is told by pointers', async () => {
  const { client } = overEdge()
  await expect(client.list({ limit: 101 })).rejects.toMatchObject({
    code: 'invalid-input',
    kind: 'invalid',
    data: { errors: [{ pointer: '/limit' }] },
  })
  await expect(client.create({ sku: 'A', name: 'a', size: 1, tags: [] })).rejects.toMatchObject({
    code: 'idempotency-key-missing',
  })
})

test('an unexpected failure is internal, and may have run', async () => {
  const { client } = overEdge(() => Promise.reject(new Error('hunter2')))
  await expect(client.read({ sku: 'A' })).rejects.toMatchObject({
    code: 'internal',
    kind: 'internal',
    ran: 'unknown',
    retryable: false,
    data: undefined,
  })
})

test('an answer that is no problem document still has its status', async () => {
  for (const body of ['', '<html>', 'null', '[]', '"x"', '12', '{"code":1,"title":2,"detail":3}'])
    await expect(answering(503, body).read({ sku: 'A' })).rejects.toMatchObject({
      code: 'http-503',
      kind: 'unavailable',
      retryable: true,
      title: 'The server answered 503',
    })
  await expect(answering(418, 'teapot').read({ sku: 'A' })).rejects.toMatchObject({
    code: 'http-418',
    kind: 'invalid',
  })
  await expect(answering(502, 'bad gateway').read({ sku: 'A' })).rejects.toMatchObject({
    code: 'http-502',
    kind: 'internal',
  })
})

test('a success that the contract does not allow is invalid-output', async () => {
  for (const body of ['<html>', '{"got"', '[]', '{"sku":1}', 'null'])
    await expect(
      answering(200, body).create({ sku: 'A', name: 'a', size: 1, tags: [] }),
    ).rejects.toMatchObject({
      code: 'invalid-output',
      message: expect.stringContaining('sample.create'),
    })
  await expect(
    answering(200, '{"sku":"A","more":1}').create({ sku: 'A', name: 'a', size: 1, tags: [] }),
  ).resolves.toEqual({ sku: 'A' })
})

test('a server that cannot be reached is unavailable; the call may have run', async () => {
  const down = new TypeError('fetch failed')
  const client = httpClient(sample, {
    address: 'http://shop.test',
    fetch: () => Promise.reject(down),
  })
  await expect(client.read({ sku: 'A' })).rejects.toMatchObject({
    code: 'unavailable',
    ran: 'unknown',
    retryable: true,
    cause: down,
    message: expect.stringContaining('http://shop.test'),
  })
})

test('a connection that is lost inside the answer is unavailable too, also inside a problem', async () => {
  for (const status of [200, 500]) {
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new TypeError('terminated')),
    })
    const client = httpClient(sample, {
      address: 'http://shop.test',
      fetch: () => Promise.resolve(new Response(broken, { status })),
    })
    await expect(client.read({ sku: 'A' })).rejects.toMatchObject({
      code: 'unavailable',
      ran: 'unknown',
    })
  }
})

/** A server that never answers; fetch rejects when its signal aborts. */
const silent: Fetch = (_, { signal }) =>
  new Promise((_resolve, reject) =>
    signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError'))),
  )

test('what is not answered in time is deadline-exceeded', async () => {
  const env = manualEnv()
  const client = httpClient(sample, { address: 'http://shop.test', fetch: silent, env })
  for (const [options, ms] of [
    [{ deadlineMs: 50 }, 50],
    [{}, 6_000],
  ] as const) {
    const outcome = client.read({ sku: 'A' }, options).catch((error: unknown) => error)
    await env.advance(ms - 1)
    expect(env.waiting).toBe(1)
    await env.advance(1)
    expect(await outcome).toMatchObject({
      code: 'deadline-exceeded',
      ran: 'unknown',
    })
    expect(env.waiting).toBe(0)
  }
})

test('a caller that gives up is cancelled, and no timer stays', async () => {
  const env = manualEnv()
  const caller = new AbortController()
  const outcome = httpClient(sample, { address: 'http://shop.test', fetch: silent, env })
    .read({ sku: 'A' }, { signal: caller.signal })
    .catch((error: unknown) => error)
  caller.abort()
  expect(await outcome).toMatchObject({ code: 'cancelled', retryable: false })
  expect(env.waiting).toBe(0)
  await httpClient(sample, { address: 'http://shop.test', fetch: overEdge().fetch, env }).read({
    sku: 'A',
  })
  expect(env.waiting).toBe(0)
})

test('headers, token and key are sent as they are at the time of the call', async () => {
  const { fetch, sent } = overEdge()
  let token: string | undefined
  const client = httpClient(sample, {
    address: 'http://shop.test',
    fetch,
    token: () => token,
    headers: { 'x-request-id': 'mine' },
  })
  await client.list({})
  token = 't2'
  await client.list({}, { key: 'k' })
  expect(sent.map(({ init }) => init.headers)).toEqual([
    { accept: 'application/json', 'x-request-id': 'mine' },
    {
      accept: 'application/json',
      'x-request-id': 'mine',
      authorization: 'Bearer t2',
      'idempotency-key': 'k',
    },
  ])
  expect(sent.every(({ init }) => init.body === undefined)).toBe(true)
})

test('the tag that a change depends on is sent as If-Match', async () => {
  const input = z.object({ id: z.string(), ifMatch: z.string().optional() })
  const change = {
    summary: 'x',
    access: 'public',
    repeat: 'natural',
    output: z.object({}),
  } as const
  const made = contract('made', {
    operations: {
      change: command({ ...change, http: patch('/made/:id', { ifMatch: true }), input }),
      remove: command({
        ...change,
        http: del('/made/:id', { status: 200, ifMatch: true }),
        input: input.extend({ force: z.boolean().optional() }),
      }),
    },
  })
  const sent: (readonly [string, string | undefined, unknown])[] = []
  const client = httpClient(made, {
    address: 'http://shop.test',
    fetch: async (url, { headers, body }) => {
      sent.push([
        url.pathname + url.search,
        new Headers(headers).get('if-match') ?? undefined,
        body,
      ])
      return new Response('{}')
    },
  })
  await client.change({ id: 'a', ifMatch: '"tag"' })
  await client.change({ id: 'a' })
  await client.remove({ id: 'a', ifMatch: '"tag"', force: true })
  expect(sent).toEqual([
    ['/made/a', '"tag"', '{}'],
    ['/made/a', undefined, '{}'],
    ['/made/a?force=true', '"tag"', undefined],
  ])
})

test('an operation without an address, and a feed, are not called', async () => {
  const { client } = overEdge()
  await expect(client.hidden({})).rejects.toMatchObject({ code: 'no-such-operation' })
  const live = contract('live', {
    operations: {
      watch: feed({
        summary: 'x',
        access: 'public',
        http: get('/watch'),
        input: z.object({}),
        output: z.json(),
      }),
    },
  })
  const watching = httpClient(live, { address: 'http://shop.test', fetch: overEdge().fetch }).watch(
    {},
  )
  await expect(watching[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: 'no-such-operation',
  })
})

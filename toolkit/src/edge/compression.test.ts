import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { contract, get, post, query } from '../contract/index.ts'
import { compress } from '../engines/http/compress.ts'
import type { HttpReply } from '../link/http.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { logger } from '../telemetry/log.ts'
import type { Coding } from './accept-encoding.ts'
import { compression } from './compression.ts'
import { edge, type Page } from './edge.ts'
import { fakeLink, request, type Asked } from './sample.suite.ts'

const words = 'many words of one kind, '.repeat(200)
const Sized = z.object({ size: z.int().min(0).max(100_000) })
const sized = contract('sized', {
  operations: {
    text: query({
      summary: 'A text',
      access: 'public',
      http: get('/text/:size', { etag: true }),
      input: Sized,
      output: z.object({ text: z.string() }),
    }),
    find: query({
      summary: 'A text by POST',
      access: 'public',
      http: post('/find'),
      input: Sized,
      output: z.object({ text: z.string() }),
    }),
  },
})

/** An edge with the stage; `compressed` lists what it was asked to do. */
const compressing = (page?: () => HttpReply) => {
  const env = manualEnv()
  const compressed: Coding[] = []
  const found: (string | undefined)[] = []
  const stage = compression({
    compress: (coding, bytes) => {
      compressed.push(coding)
      return compress(coding, bytes)
    },
  })
  const pages: Record<string, Page> = page === undefined ? {} : { '/page': async () => page() }
  const handle = edge({
    env,
    log: logger({ env, write: () => undefined }),
    contracts: [sized],
    link: fakeLink(sized, ({ input }) => {
      const { size } = input as { size: number }
      return Promise.resolve({ value: { text: words.repeat(20).slice(0, size) } })
    }),
    serves: () => true,
    identify: () => Promise.resolve(undefined),
    pages,
    before: [
      stage,
      (exchange, next) => {
        found.push(exchange.request.header('if-none-match'), exchange.request.header('if-match'))
        return next(exchange)
      },
    ],
  })
  return { compressed, found, ask: (asked: Asked) => handle(request(asked)) }
}
const taking = (coding: string, more: Record<string, string> = {}) => ({
  headers: { 'accept-encoding': coding, ...more },
})
const text = ({ headers, body }: HttpReply): string => {
  if (typeof body === 'string') return body
  if (!(body instanceof Uint8Array)) throw new Error('no bytes')
  const coding = headers['content-encoding']
  const plain =
    coding === 'br' ? brotliDecompressSync(body) : coding === 'gzip' ? gunzipSync(body) : body
  return new TextDecoder().decode(plain)
}

test('a reply is compressed as its client likes it', async () => {
  const { ask } = compressing()
  const plain = await ask({ target: '/text/4000' })
  expect(plain.headers).toMatchObject({ vary: 'accept-encoding' })
  expect(plain.headers['content-encoding']).toBeUndefined()
  for (const [accept, coding] of [
    ['gzip, br', 'br'],
    ['gzip', 'gzip'],
  ] as const) {
    const reply = await ask({ target: '/text/4000', ...taking(accept) })
    expect(reply.headers).toMatchObject({
      'content-encoding': coding,
      'content-type': 'application/json',
      vary: 'accept-encoding',
    })
    expect(text(reply)).toBe(plain.body)
    expect((reply.body as Uint8Array).length).toBeLessThan(500)
  }
})

test('what is short, refused, of another kind or encoded already goes as it is', async () => {
  const { ask } = compressing()
  const small = await ask({ target: '/text/900', ...taking('br') })
  expect(small.headers).toMatchObject({ vary: 'accept-encoding' })
  expect(typeof small.body).toBe('string')
  expect((await ask({ target: '/text/4000', ...taking('br;q=0') })).body).toEqual(
    expect.any(String),
  )
  const as = async (headers: Record<string, string>, body: HttpReply['body'] = words) =>
    compressing(() => ({ status: 200, headers, body })).ask({ target: '/page', ...taking('gzip') })
  for (const type of ['image/png', 'text/event-stream', 'application/octet-stream', 'jsonish'])
    expect((await as({ 'content-type': type })).headers['content-encoding']).toBeUndefined()
  expect((await as({})).headers['content-encoding']).toBeUndefined()
  for (const type of ['text/html; charset=utf-8', 'image/svg+xml', 'application/problem+json'])
    expect((await as({ 'content-type': type })).headers['content-encoding']).toBe('gzip')
  const json = { 'content-type': 'application/json' }
  expect((await as({ ...json, 'content-encoding': 'br' })).headers).toMatchObject({
    'content-encoding': 'br',
  })
  const fixed = await as({ ...json, 'cache-control': 'max-age=5, no-transform' })
  expect(fixed.headers['content-encoding']).toBeUndefined()
})

test('a stream is never held up', async () => {
  async function* chunks() {
    yield new TextEncoder().encode(words)
  }
  for (const type of ['text/event-stream', 'application/json']) {
    const body = chunks()
    const { ask } = compressing(() => ({ status: 200, headers: { 'content-type': type }, body }))
    const reply = await ask({ target: '/page', ...taking('gzip') })
    expect(reply.body).toBe(body)
    expect(reply.headers['content-encoding']).toBeUndefined()
  }
})

test('what POST answers is never compressed: tokens are handed out there', async () => {
  const { ask } = compressing()
  const reply = await ask({
    method: 'POST',
    target: '/find',
    body: '{"size":4000}',
    ...taking('gzip, br'),
  })
  expect(reply.status).toBe(200)
  expect(reply.headers['content-encoding']).toBeUndefined()
  expect(reply.headers['vary']).toBeUndefined()
})

test('HEAD has the headers of GET', async () => {
  const { ask } = compressing()
  const headers = { 'accept-encoding': 'br', 'x-request-id': 'same' }
  const [get, head] = [
    await ask({ target: '/text/4000', headers }),
    await ask({ method: 'HEAD', target: '/text/4000', headers }),
  ]
  expect(head.headers).toEqual(get.headers)
  // The server counts the body and does not send it.
  expect((head.body as Uint8Array).length).toBe((get.body as Uint8Array).length)
})

test('each coding has an entity tag of its own, by which it is known again', async () => {
  const { ask, found } = compressing()
  const etag = async (accept: string) =>
    String((await ask({ target: '/text/4000', ...taking(accept) })).headers['etag'])
  const [plain, gzip, br] = [await etag('identity'), await etag('gzip'), await etag('br')]
  expect([gzip, br]).toEqual([plain.replace(/"$/, '~gzip"'), plain.replace(/"$/, '~br"')])
  for (const known of [plain, gzip, br])
    for (const accept of ['gzip', 'br', 'identity'])
      for (const header of [known, `W/${known}`, `"other", ${known}`]) {
        const asked = { target: '/text/4000', ...taking(accept, { 'if-none-match': header }) }
        const reply = await ask(asked)
        expect([reply.status, reply.headers['etag'], reply.headers['vary']]).toEqual([
          304,
          known,
          'accept-encoding',
        ])
        expect(reply.headers['content-encoding']).toBeUndefined()
      }
  const any = await ask({ target: '/text/4000', ...taking('br', { 'if-none-match': '*' }) })
  expect([any.status, any.headers['etag']]).toEqual([304, plain])
  for (const other of ['"x~br"', '~br"', `${plain.slice(0, -1)}~zip"`, plain.slice(1, -1)])
    expect(
      (await ask({ target: '/text/4000', ...taking('br', { 'if-none-match': other }) })).status,
    ).toBe(200)
  // A handler that compares If-Match knows the one representation.
  found.splice(0)
  await ask({ method: 'POST', target: '/find', headers: { 'if-match': `${br}, "x~y"` } })
  expect(found).toEqual([undefined, `${plain}, "x~y"`])
})

test('weak tags stay as they are', async () => {
  const headers = { 'content-type': 'application/json', etag: 'W/"1"' }
  const { ask } = compressing(() => ({ status: 200, headers, body: words }))
  const reply = await ask({ target: '/page', ...taking('gzip') })
  expect(reply.headers).toMatchObject({ 'content-encoding': 'gzip', etag: 'W/"1"' })
})

test('bytes that are kept are compressed once, at the same moment too', async () => {
  const body = new TextEncoder().encode(words.repeat(10))
  const headers = { 'content-type': 'text/html' }
  const { ask, compressed } = compressing(() => ({ status: 200, headers, body }))
  const replies = await Promise.all(
    Array.from({ length: 5 }, () => ask({ target: '/page', ...taking('gzip') })),
  )
  expect(new Set(replies.map((reply) => reply.body)).size).toBe(1)
  await ask({ target: '/page', ...taking('br') })
  await ask({ target: '/page', ...taking('br') })
  expect(compressed).toEqual(['gzip', 'br'])
})

test('a failure to compress is a failure of the one request', async () => {
  const body = new TextEncoder().encode(words)
  let broken = true
  const stage = compression({
    compress: (coding, bytes) =>
      broken ? Promise.reject(new Error('no memory')) : compress(coding, bytes),
  })
  const ask = () =>
    stage(
      {
        request: request({ target: '/', ...taking('br') }),
        path: '/',
        query: '',
        correlationId: '',
      },
      () => Promise.resolve({ status: 200, headers: { 'content-type': 'text/html' }, body }),
    )
  expect(await ask().catch((error: unknown) => error)).toEqual(new Error('no memory'))
  broken = false
  expect(text(await ask())).toBe(words)
})

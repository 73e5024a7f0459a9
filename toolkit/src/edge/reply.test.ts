import { manualEnv } from '../testing/index.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { del, get, post } from '../contract/index.ts'
import type { HttpBinding } from '../contract/index.ts'
import type { Reply } from '../link/call.ts'
import { accepts, encodeReply } from './encode.ts'
import { routesOf } from './router.ts'
import { edgeUnderTest, request, sample } from './sample.suite.ts'

const answering = (value: unknown) => edgeUnderTest({ reply: () => Promise.resolve({ value }) })

test('a reply with an ETag is 304 for who has it', async () => {
  const { ask } = edgeUnderTest()
  const first = await ask({ target: '/things/a' })
  const etag = String(first.headers['etag'])
  expect(etag).toMatch(/^"[\w-]{22}"$/)
  expect(first.headers['cache-control']).toBe('max-age=0, must-revalidate')
  expect((await ask({ target: '/things/a' })).headers['etag']).toBe(etag)
  expect((await ask({ target: '/things/b' })).headers['etag']).not.toBe(etag)
  for (const known of [etag, `W/${etag}`, `"x", ${etag}`, `${etag}, "y"`, '*']) {
    const reply = await ask({ target: '/things/a', headers: { 'if-none-match': known } })
    expect([known, reply.status, reply.text]).toEqual([known, 304, ''])
    expect(reply.headers).toMatchObject({
      etag,
      'cache-control': 'max-age=0, must-revalidate',
      'x-request-id': expect.any(String),
    })
    expect(reply.headers['content-type']).toBeUndefined()
  }
  for (const other of ['', '"x"', etag.slice(1, -1), `${etag.slice(0, -1)}x"`])
    expect((await ask({ target: '/things/a', headers: { 'if-none-match': other } })).status).toBe(
      200,
    )
  expect(
    (await ask({ method: 'HEAD', target: '/things/a', headers: { 'if-none-match': etag } })).status,
  ).toBe(304)
})

const encoded = (
  http: HttpBinding,
  value: unknown,
  target = '/x',
  headers: Record<string, string> = {},
) => {
  const [route] = routesOf([sample], (operation) => operation === sample.operations.special)
  if (route === undefined) throw new Error('no route')
  return encodeReply({ ...route, http }, request({ target, headers }), { value } satisfies Reply, {
    env: manualEnv(),
    allowed: () => Promise.resolve(true),
    leaving: new AbortController().signal,
    counted: (stream) => stream,
  })
}

test('only the reply to a safe request is 304', async () => {
  const reply = await encoded(post('/x', { etag: true }), { a: 1 }, '/x', { 'if-none-match': '*' })
  expect(reply.status).toBe(200)
})

test('the next page is linked, with all that was asked', async () => {
  const { ask } = answering({ items: [], next: 'c/2&"<>' })
  const link = async (target: string) => (await ask({ target })).headers['link']
  expect(await link('/things')).toBe('</things?cursor=c%2F2%26%22%3C%3E>; rel="next"')
  expect(await link('/things?q=a+b&limit=5&cursor=old')).toBe(
    '</things?q=a+b&limit=5&cursor=c%2F2%26%22%3C%3E>; rel="next"',
  )
  expect(await link('/things?q=what?&limit=5')).toBe(
    '</things?q=what%3F&limit=5&cursor=c%2F2%26%22%3C%3E>; rel="next"',
  )
  expect(
    (await answering({ items: [] }).ask({ target: '/things' })).headers['link'],
  ).toBeUndefined()
})

test('a link holds no character that would end it', async () => {
  const { headers } = await encoded(get('/x/:y'), { next: 'n' }, '/x/a>b"<\u00e9')
  expect(headers['link']).toBe('</x/a%3eb%22%3c%e9?cursor=n>; rel="next"')
})

test('the next page of a query by POST has no link: it is not at an address', async () => {
  const reply = await answering({ got: 1, next: 'c' }).ask({
    method: 'POST',
    target: '/search',
    body: '{}',
  })
  expect(reply).toMatchObject({ status: 200, json: { got: 1, next: 'c' } })
  expect(reply.headers['link']).toBeUndefined()
})

test('Location is made of the reply’s fields, percent-encoded', async () => {
  const { ask } = edgeUnderTest()
  const create = (sku: string) =>
    ask({
      method: 'POST',
      target: '/things',
      body: JSON.stringify({ sku, name: 'a', size: 1, tags: [] }),
      headers: { authorization: 'Bearer customer', 'idempotency-key': 'k' },
    })
  const reply = await create('A/B C%2F?#:sku')
  expect(reply).toMatchObject({
    status: 201,
    headers: { location: '/things/A%2FB%20C%252F%3F%23%3Asku', 'cache-control': 'no-store' },
  })
  expect((await ask({ target: String(reply.headers['location']) })).json).toEqual({
    got: { sku: 'A/B C%2F?#:sku' },
  })
})

test('no value is no body: 204, or the binding’s status', async () => {
  const { handle } = edgeUnderTest()
  const removed = await handle(request({ method: 'DELETE', target: '/things/a' }))
  expect(removed).toMatchObject({ status: 204, headers: { 'cache-control': 'no-store' } })
  expect(removed.body).toBeUndefined()
  expect(removed.headers['content-type']).toBeUndefined()
  expect(await encoded(del('/x', { status: 202 }), undefined)).toEqual({
    status: 202,
    headers: { 'cache-control': 'no-store' },
  })
})

test('replies that depend on the caller are stored by nobody', async () => {
  const { ask } = edgeUnderTest()
  const reply = await ask({
    method: 'PATCH',
    target: '/things/a',
    body: '{}',
    headers: { authorization: 'Bearer merchant' },
  })
  expect(reply.headers['cache-control']).toBe('no-store')
})

test('a remembered reply goes out as it was', async () => {
  const body = new TextEncoder().encode('{"b":1,  "a":"\\u00fc"}')
  const remembered = {
    scope: 's',
    key: 'k',
    inputHash: 'h',
    status: 201,
    contentType: 'application/json',
    location: '/things/a',
    body,
    expiresAt: 0,
  }
  const { handle } = edgeUnderTest({ reply: () => Promise.resolve({ remembered }) })
  const reply = await handle(request({ target: '/things/a' }))
  expect(reply).toMatchObject({
    status: 201,
    headers: {
      'content-type': 'application/json',
      location: '/things/a',
      'cache-control': 'no-store',
    },
  })
  expect(reply.body).toBe(body)
  const empty = edgeUnderTest({
    reply: () =>
      Promise.resolve({
        remembered: { ...remembered, status: 204, location: undefined, body: new Uint8Array() },
      }),
  })
  const none = await empty.handle(request({ target: '/things/a' }))
  expect([none.status, none.body, none.headers['content-type'], none.headers['location']]).toEqual([
    204,
    undefined,
    undefined,
    undefined,
  ])
})

test('any Accept header is understood or refused', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary-ascii' }),
      (accept) => typeof accepts(accept, 'application/json') === 'boolean',
    ),
  )
})

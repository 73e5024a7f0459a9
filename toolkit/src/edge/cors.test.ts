import { expect, test } from 'vitest'
import type { HttpReply } from '../link/http.ts'
import { splitTarget } from './router.ts'
import { cors, type CorsOptions } from './cors.ts'
import { edgeUnderTest, request, type Asked } from './sample.suite.ts'

const shop = 'https://shop.example'

/** The stage around a whole edge, which answers as it does without it. */
const sharing = (options: CorsOptions, inner?: HttpReply) => {
  const { handle } = edgeUnderTest({
    pages: {
      '/docs': () => Promise.resolve({ status: 200, headers: { vary: 'Accept-Encoding' } }),
    },
  })
  const stage = cors(options)
  return async (asked: Asked) => {
    const sent = request(asked)
    const [path, query] = splitTarget(sent.target)
    return stage({ request: sent, path, query, correlationId: 'c' }, (exchange) =>
      inner === undefined ? handle(exchange.request) : Promise.resolve(inner),
    )
  }
}
const preflight = (target: string, headers: Record<string, string> = {}) => ({
  method: 'OPTIONS',
  target,
  headers: { origin: shop, 'access-control-request-method': 'PATCH', ...headers },
})
const granted = ({ headers }: HttpReply) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('access-control-')))

test('by default no origin is allowed, and no reply depends on it', async () => {
  const ask = sharing({})
  for (const asked of [{ target: '/things', headers: { origin: shop } }, preflight('/things/a')]) {
    const reply = await ask(asked)
    expect(reply.status).toBe(asked.target === '/things' ? 200 : 405)
    expect(granted(reply)).toEqual({})
    expect(reply.headers['vary']).toBeUndefined()
  }
})

test('a preflight is answered with the methods of its address', async () => {
  const ask = sharing({ origins: [shop] })
  const reply = await ask(preflight('/things/a'))
  expect(reply).toEqual({
    status: 204,
    headers: {
      allow: 'DELETE, GET, HEAD, PATCH',
      'access-control-allow-origin': shop,
      'access-control-allow-methods': 'DELETE, GET, HEAD, PATCH',
      'access-control-allow-headers': expect.stringContaining('authorization'),
      'access-control-max-age': '600',
      vary: 'origin',
      'x-request-id': 'c',
    },
  })
  expect(reply.headers['access-control-allow-headers']).toContain('idempotency-key, if-match')
  expect((await ask(preflight('/docs'))).headers['access-control-allow-methods']).toBe('GET, HEAD')
  expect((await ask(preflight('/things/a/cancel'))).headers).toMatchObject({
    'access-control-allow-methods': 'POST',
  })
  const nowhere = await ask(preflight('/nowhere'))
  expect(nowhere).toMatchObject({ status: 404, headers: { 'access-control-allow-origin': shop } })
})

test('a page of an allowed origin may read replies, failures too', async () => {
  const ask = sharing({ origins: [shop] })
  for (const target of ['/things', '/nowhere', '/things/%00']) {
    const reply = await ask({ target, headers: { origin: shop } })
    expect(granted(reply)).toEqual({
      'access-control-allow-origin': shop,
      'access-control-expose-headers':
        'etag, location, link, retry-after, ratelimit, ratelimit-policy, x-request-id, cache-status, allow, www-authenticate',
    })
    expect(reply.headers['vary']).toBe('origin')
  }
})

test('origins are compared whole, and Vary tells caches that they matter', async () => {
  const ask = sharing({ origins: [shop, 'http://127.0.0.1:3000'] })
  for (const origin of [
    'null',
    'https://shop.example.evil',
    'https://evil.shop.example',
    'http://shop.example',
    'https://shop.example:8443',
    'https://SHOP.example',
    '',
    '*',
    `${shop}, https://evil.example`,
  ]) {
    const reply = await ask({ target: '/things', headers: { origin } })
    expect([origin, granted(reply)]).toEqual([origin, {}])
    expect(reply.headers['vary']).toBe('origin')
    expect(await ask(preflight('/things', { origin }))).toMatchObject({
      status: 405,
      headers: { vary: 'origin', allow: 'GET, HEAD, POST' },
    })
  }
  expect((await ask({ target: '/things' })).headers['vary']).toBe('origin')
  expect((await ask({ target: '/docs' })).headers['vary']).toBe('Accept-Encoding, origin')
  const other = { target: '/things', headers: { origin: 'http://127.0.0.1:3000' } }
  expect(granted(await ask(other))['access-control-allow-origin']).toBe('http://127.0.0.1:3000')
})

test('all origins get the same reply, without credentials', async () => {
  const ask = sharing({ origins: '*' })
  for (const headers of [{}, { origin: 'null' }, { origin: shop }]) {
    const reply = await ask({ target: '/things', headers })
    expect(reply.headers['access-control-allow-origin']).toBe('*')
    expect(reply.headers['access-control-allow-credentials']).toBeUndefined()
    expect(reply.headers['vary']).toBeUndefined()
  }
  expect(await ask(preflight('/things', { origin: 'null' }))).toMatchObject({
    status: 204,
    headers: { 'access-control-allow-origin': '*' },
  })
  expect(() => cors({ origins: '*', credentials: true })).toThrow(/credentials/)
})

test('credentials are allowed for listed origins when asked for', async () => {
  const ask = sharing({ origins: [shop], credentials: true })
  for (const asked of [{ target: '/things', headers: { origin: shop } }, preflight('/things')])
    expect((await ask(asked)).headers).toMatchObject({
      'access-control-allow-origin': shop,
      'access-control-allow-credentials': 'true',
    })
})

test('OPTIONS that is no preflight is answered as ever', async () => {
  const ask = sharing({ origins: [shop] })
  for (const headers of [{}, { origin: shop }, { 'access-control-request-method': 'GET' }] as const)
    expect(await ask({ method: 'OPTIONS', target: '/things', headers })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD, POST' },
    })
  // A method of its own is no business of this stage.
  const own = sharing({ origins: [shop] }, { status: 200, headers: { allow: 'GET' }, body: 'mine' })
  expect(await own(preflight('/x'))).toMatchObject({ status: 200, body: 'mine' })
})

test('an origin that no browser sends fails at start', () => {
  for (const origin of [
    'shop.example',
    'https://shop.example/',
    'https://shop.example:443',
    'https://Shop.example',
    'https://shop.example/path',
    'null',
    '*',
    '',
    'https://a b',
    'https://me@shop.example',
  ])
    expect(() => cors({ origins: [origin] }), origin).toThrow(/cors.origins/)
  expect(() => cors({ origins: ['chrome-extension://abc', 'http://[::1]:3000'] })).not.toThrow()
})

import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { problemOf } from '../problem.ts'
import { send } from '../raw-http.ts'
import type { World } from '../world.ts'

/** What holds for all of the API and is no single operation's; bad-input-*.test.ts has the rest. */
export const conventionsSuite = ({ address, operator, operatorKey, ask, product }: World): void => {
  describe('conventions', () => {
    test('a reply bears the client’s request id and safe headers', async () => {
      const headers = {
        'x-request-id': 'mine-1',
        traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      }
      for (const path of ['/api/v1/products?limit=1', '/api/v1/products/NOT-HERE', '/nowhere']) {
        const reply = await send(address, { path, headers })
        expect(reply.headers).toMatchObject({
          'x-request-id': 'mine-1',
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'content-security-policy': expect.stringContaining("default-src 'none'"),
        })
        expect(reply.headers).not.toHaveProperty('access-control-allow-origin')
      }
    })

    test('limits are told to whoever they hold for, and refuse with Retry-After', async () => {
      const register = (headers = {}) =>
        send(address, { method: 'POST', path: '/api/v1/auth/register', body: {}, headers })
      let reply = await register()
      for (let count = 0; count < 40 && reply.status !== 429; count++) {
        problemOf(reply, 400, 'invalid-input')
        expect(reply.headers['ratelimit-policy']).toMatch(/"accounts\.register";q=\d+;w=\d+/)
        expect(reply.headers['ratelimit']).toMatch(/"accounts\.register";r=\d+;t=\d+/)
        reply = await register()
      }
      problemOf(reply, 429, 'rate-limited', '/api/v1/auth/register')
      expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0)
      expect(reply.headers['ratelimit']).toMatch(/"accounts\.register";r=0;t=\d+/)
      const lifted = await register({ 'x-serval-operator': operatorKey })
      problemOf(lifted, 400, 'invalid-input')
      expect(lifted.headers).not.toHaveProperty('ratelimit')
      problemOf(await register({ 'x-serval-operator': `${operatorKey}x` }), 429, 'rate-limited')
      expect((await send(address, { path: '/api/v1/products?limit=1' })).status).toBe(200)
    })

    test('large replies are encoded for clients that take it', async () => {
      await product({ description: 'words and words '.repeat(100) })
      const path = '/api/v1/products?limit=100'
      const plain = await send(address, { path })
      const packed = await send(address, { path, headers: { 'accept-encoding': 'gzip' } })
      expect(packed.headers['content-encoding']).toBe('gzip')
      expect(packed.headers['vary']).toMatch(/accept-encoding/i)
      expect(packed.body.length).toBeLessThan(plain.body.length)
      expect(JSON.parse(gunzipSync(packed.body).toString())).toEqual(plain.json())
      expect(plain.headers).not.toHaveProperty('content-encoding')
    })

    test('the documents, the reference and the health checks are there', async () => {
      for (const [path, type] of [
        ['/openapi.json', 'application/json'],
        ['/asyncapi.json', 'application/json'],
        ['/docs', 'text/html; charset=utf-8'],
        ['/health/live', 'application/json'],
        ['/health/ready', 'application/json'],
      ] as const) {
        const reply = await ask(`GET ${path}`)
        expect([path, reply.status, reply.headers['content-type']]).toEqual([path, 200, type])
        const head = await ask(`HEAD ${path}`)
        expect([head.status, head.text]).toEqual([200, ''])
      }
      const { headers } = await ask('GET /openapi.json')
      const again = await ask('GET /openapi.json', {
        headers: { 'if-none-match': headers['etag'] ?? '' },
      })
      expect(again.status).toBe(304)
      expect((await ask('GET /asyncapi.json')).json()).toMatchObject({ asyncapi: '3.0.0' })
    })

    test('the keys that sign access tokens are published, and only their public halves', async () => {
      const reply = await ask('GET /.well-known/jwks.json')
      const { keys } = reply.json<{ keys: Record<string, string>[] }>()
      expect(keys.length).toBeGreaterThan(0)
      for (const key of keys)
        expect(key).toEqual({
          kty: 'OKP',
          crv: 'Ed25519',
          x: expect.stringMatching(/^[\w-]{43}$/),
          kid: expect.any(String),
          use: 'sig',
          alg: 'EdDSA',
        })
    })

    test('nothing of the operator’s is on the public address', async () => {
      for (const path of ['/operator/v1/orders', '/operator/v1/mails', '/metrics', '/console'])
        problemOf(await ask(`GET ${path}`), 404, 'no-such-path')
      problemOf(await send(operator, { path: '/operator/v1/orders' }), 401, 'unauthenticated')
    })
  })
}

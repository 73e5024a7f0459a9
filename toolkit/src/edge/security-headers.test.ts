import { expect, test } from 'vitest'
import { request } from './sample.suite.ts'
import { securityHeaders } from './security-headers.ts'

const exchange = { request: request({ target: '/' }), path: '/', query: '', correlationId: 'c' }

test('replies tell browsers to do nothing with them', async () => {
  const body = '{}'
  const reply = await securityHeaders()(exchange, () =>
    Promise.resolve({ status: 201, headers: { 'content-type': 'application/json' }, body }),
  )
  expect(reply).toEqual({
    status: 201,
    headers: {
      'content-type': 'application/json',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    },
    body,
  })
})

test('a page’s own policy wins', async () => {
  const headers = { 'content-security-policy': "default-src 'self'" }
  const reply = await securityHeaders()(exchange, () => Promise.resolve({ status: 200, headers }))
  expect(reply.headers).toMatchObject(headers)
  expect(Object.keys(reply.headers)).toHaveLength(4)
})

test('browsers are told to insist on TLS only where it is', async () => {
  const of = async (behindTls: boolean) =>
    (
      await securityHeaders({ behindTls })(exchange, () =>
        Promise.resolve({ status: 200, headers: {} }),
      )
    ).headers['strict-transport-security']
  expect(await of(false)).toBeUndefined()
  expect(await of(true)).toBe('max-age=31536000; includeSubDomains')
})

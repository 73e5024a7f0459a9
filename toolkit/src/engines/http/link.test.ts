import { expect, test } from 'vitest'
import { systemEnv } from '../../base/env.ts'
import { sha256 } from '../../base/hash.ts'
import { defaultHttpLimits } from '../../link/http.ts'
import { httpLinkServer } from '../../link/http-link-server.ts'
import { httpLink } from '../../link/http-link.ts'
import { callTo, placementSuite } from '../../link/placement.suite.ts'
import type { Link } from '../../link/call.ts'
import { localLink } from '../../link/local.ts'
import { logger } from '../../telemetry/log.ts'
import { joseIdentities } from '../jose/index.ts'
import { listenHttp, sendHttp } from './index.ts'

const env = systemEnv()
const log = logger({ env, level: 'error', write: () => undefined })
const seedOf = (secret: string) => (issuer: string) =>
  Promise.resolve(new Uint8Array(Buffer.from(sha256(secret + issuer, 'hex'), 'hex')))

const serve = async (link: Link) => {
  const leaving = new AbortController()
  const identities = joseIdentities({ env, seedOf: seedOf('same') })
  const server = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    limits: defaultHttpLimits,
    refuse: (status) => ({ status, headers: {} }),
    handle: httpLinkServer({ env, log, link, identities, leaving: leaving.signal }),
  })
  return { server, leaving, address: `http://127.0.0.1:${server.port}` }
}

const linkTo = (address: string, secret = 'same') => {
  const { send, close } = sendHttp()
  const identities = joseIdentities({ env, seedOf: seedOf(secret) })
  return { link: httpLink({ env, send, identities, address }), send, close }
}

placementSuite('local', (served) =>
  Promise.resolve({
    link: localLink(() => (call) => served.call(call)),
    close: () => Promise.resolve(),
  }),
)

placementSuite('http', async (served) => {
  const { server, address } = await serve(served)
  const { link, close } = linkTo(address)
  return {
    link,
    close: async () => {
      close()
      await server.close()
    },
  }
})

test('who does not know the secret is refused before anything runs', async () => {
  let calls = 0
  const { server, address } = await serve({ call: () => Promise.resolve({ value: (calls += 1) }) })
  const { link, close } = linkTo(address, 'another')
  const error = await link.call(callTo('read')).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'unauthenticated' })
  expect(calls).toBe(0)
  close()
  await server.close()
})

test('where nobody listens nothing was sent; where the connection breaks nobody knows', async () => {
  let begin: () => void = () => undefined
  const begun = new Promise<void>((resolve) => (begin = resolve))
  const { server, address } = await serve({ call: () => (begin(), new Promise(() => undefined)) })
  const { link, close } = linkTo(address)
  const hanging = link.call(callTo('read')).catch((thrown: unknown) => thrown)
  await begun
  await server.close()
  expect(await hanging).toMatchObject({ code: 'unknown-outcome', ran: 'unknown' })
  const refused = await link.call(callTo('read')).catch((thrown: unknown) => thrown)
  expect(refused).toMatchObject({ code: 'unavailable', ran: 'not-sent' })
  close()
})

test('a host that leaves says that it did not run the call', async () => {
  const { server, address, leaving } = await serve({ call: () => Promise.resolve({ value: 1 }) })
  const { link, close } = linkTo(address)
  expect(await link.call(callTo('read'))).toEqual({ value: 1 })
  leaving.abort()
  const error = await link.call(callTo('read')).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'draining', ran: 'not-sent', retryable: true })
  close()
  await server.close()
})

test('what is not a call gets a clear answer, and runs nothing', async () => {
  let calls = 0
  const { server, address } = await serve({ call: () => Promise.resolve({ value: (calls += 1) }) })
  const { send, close } = linkTo(address)
  const identities = joseIdentities({ env, seedOf: seedOf('same') })
  const token = await identities.sign({ kind: 'operator' }, 'made')
  const good = { authorization: `Bearer ${token}`, 'serval-time-left-ms': '1000' }
  const attempts: readonly [method: string, target: string, headers: object, body: string][] = [
    ['POST', '/', good, '{}'],
    ['POST', '/link/1/made', good, '{}'],
    ['POST', '/link/1/made/read/more', good, '{}'],
    ['POST', '/link/1/%zz/read', good, '{}'],
    ['GET', '/link/1/made/read', good, ''],
    ['POST', '/link/1/made/read', good, '{'],
    ['POST', '/link/1/made/read', { ...good, 'serval-time-left-ms': 'soon' }, '{}'],
    ['POST', '/link/1/made/read', { ...good, 'serval-time-left-ms': '-1' }, '{}'],
    ['POST', '/link/1/made/read', { ...good, 'idempotency-key': '%' }, '{}'],
    ['POST', '/link/1/made/read', { 'serval-time-left-ms': '1000' }, '{}'],
    ['POST', '/link/1/other/read', good, '{}'],
    ['POST', '/link/1/made/read', { ...good, authorization: 'Bearer x' }, '{}'],
  ]
  const signal = new AbortController().signal
  for (const [method, target, headers, body] of attempts) {
    const answer = await send({ address, method, target, headers: { ...headers }, body, signal })
    const { code } = JSON.parse(new TextDecoder().decode(await answer.body())) as { code: string }
    expect([target, code]).toEqual([
      target,
      expect.stringMatching(/^(invalid-input|unauthenticated)$/),
    ])
  }
  expect(calls).toBe(0)
  close()
  await server.close()
})

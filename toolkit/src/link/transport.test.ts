import { expect, test } from 'vitest'
import { manualEnv } from '../testing/index.ts'
import { logger } from '../telemetry/log.ts'
import { callTo } from './placement.suite.ts'
import { transports, type OpenTransport } from './transport.ts'

const env = manualEnv()
const context = {
  env,
  log: logger({ env, level: 'error', write: () => undefined }),
  identities: { sign: () => Promise.reject(), verify: () => Promise.reject() },
  secret: () => Promise.resolve(new Uint8Array()),
}
const named =
  (name: string): OpenTransport =>
  () => ({
    listen: () =>
      Promise.resolve({
        address: `${name}://here:1`,
        drain: Promise.resolve,
        close: Promise.resolve,
      }),
    linkTo: (address) => ({ call: () => Promise.resolve({ value: `${address} over ${name}` }) }),
    forget: () => undefined,
    close: () => undefined,
  })
const all = { wire: named('wire'), http: named('http') }

test('a host listens in its own way, and calls each other one in that one’s', async () => {
  const { listen, linkTo } = transports(all, 'http')(context)
  const link = linkTo('http://a:1')
  const leaving = new AbortController().signal
  expect((await listen({ host: 'here', port: 1, link, leaving })).address).toBe('http://here:1')
  expect(await link.call(callTo('read'))).toEqual({ value: 'http://a:1 over http' })
  expect(await linkTo('wire://b:2').call(callTo('read'))).toEqual({
    value: 'wire://b:2 over wire',
  })
})

test('a way that is not there is told at the start', () => {
  const wrong = () => transports(all, 'carrier-pigeon')(context)
  expect(wrong).toThrow('hosts are linked over wire or http, not over carrier-pigeon')
})

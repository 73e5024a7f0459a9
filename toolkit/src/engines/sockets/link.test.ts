import { expect, test } from 'vitest'
import { systemEnv } from '../../base/env.ts'
import { sha256 } from '../../base/hash.ts'
import type { Link } from '../../link/call.ts'
import { callTo, placementSuite } from '../../link/placement.suite.ts'
import { eventually } from '../../testing/eventually.ts'
import { logger } from '../../telemetry/log.ts'
import { joseIdentities } from '../jose/index.ts'
import { wireTransport, type WireTransportOptions } from './index.ts'

const env = systemEnv()
const bytesOf = (text: string) => new Uint8Array(Buffer.from(sha256(text, 'hex'), 'hex'))

const transportOf = (secret = 'same', options: WireTransportOptions = {}) => {
  const lines: string[] = []
  const transport = wireTransport(options)({
    env,
    log: logger({ env, level: 'warn', write: (line) => lines.push(line) }),
    identities: joseIdentities({ env, seedOf: (issuer) => Promise.resolve(bytesOf(issuer)) }),
    secret: () => Promise.resolve(bytesOf(secret)),
  })
  return { ...transport, lines }
}

const serve = async (link: Link, options: WireTransportOptions = {}) => {
  const leaving = new AbortController()
  const { listen, lines } = transportOf('same', options)
  const place = { host: '127.0.0.1', port: 0 }
  const server = await listen({ ...place, link, leaving: leaving.signal })
  return { server, leaving, lines }
}

const failed = (reply: Promise<unknown>) =>
  reply.then(
    () => {
      throw new Error('it was answered')
    },
    (error: unknown) => error,
  )

placementSuite('wire', async (served) => {
  const { server } = await serve(served)
  const { linkTo, close } = transportOf()
  return {
    link: linkTo(server.address),
    close: async () => {
      close()
      await server.close()
    },
  }
})

test('who does not know the secret is refused before anything runs, and both sides say why', async () => {
  let calls = 0
  const { server, lines } = await serve({ call: () => Promise.resolve({ value: (calls += 1) }) })
  const { linkTo, close } = transportOf('another')
  const error = await failed(linkTo(server.address).call(callTo('read')))
  expect(error).toMatchObject({ code: 'unavailable', ran: 'not-sent' })
  expect(String(error)).toContain('do not share a secret')
  expect(calls).toBe(0)
  const told = () => lines.join().includes('do not share a secret')
  await eventually(told, 'the line in the server’s log')
  close()
  await server.close()
})

test('where nobody listens nothing was sent; where the connection breaks nobody knows', async () => {
  let begin: () => void = () => undefined
  const begun = new Promise<void>((resolve) => (begin = resolve))
  const { server } = await serve({ call: () => (begin(), new Promise(() => undefined)) })
  const { linkTo, close } = transportOf()
  const link = linkTo(server.address)
  const hanging = failed(link.call(callTo('read')))
  await begun
  await server.close()
  expect(await hanging).toMatchObject({ code: 'unknown-outcome', ran: 'unknown' })
  const refused = await failed(link.call(callTo('read')))
  expect(refused).toMatchObject({ code: 'unavailable', ran: 'not-sent' })
  close()
})

test('a host that leaves says that it did not run the call, and answers those that it runs', async () => {
  let answer: () => void = () => undefined
  let begin: () => void = () => undefined
  const begun = new Promise<void>((resolve) => (begin = resolve))
  const { server, leaving } = await serve({
    call: ({ operation }) =>
      operation === 'slow'
        ? new Promise((resolve) => {
            answer = () => resolve({ value: 'slowly' })
            begin()
          })
        : Promise.resolve({ value: 1 }),
  })
  const { linkTo, close } = transportOf()
  const link = linkTo(server.address)
  expect(await link.call(callTo('read'))).toEqual({ value: 1 })
  const slow = link.call(callTo('slow'))
  await begun
  leaving.abort()
  const error = await failed(link.call(callTo('read')))
  expect(error).toMatchObject({ code: 'draining', ran: 'not-sent', retryable: true })
  const drained = server.drain()
  answer()
  expect(await slow).toEqual({ value: 'slowly' })
  await drained
  close()
})

test('a host that is no longer known is let go of after what is under way; closing ends that too', async () => {
  const answers: (() => void)[] = []
  const { server } = await serve({
    call: () => new Promise((resolve) => answers.push(() => resolve({ value: 'said' }))),
  })
  const { linkTo, forget, close } = transportOf()
  const before = linkTo(server.address)
  const finished = before.call(callTo('read'))
  await eventually(() => answers.length === 1, 'the call')
  forget(server.address)
  expect(await failed(before.call(callTo('read')))).toMatchObject({ ran: 'not-sent' })
  answers[0]?.()
  expect(await finished).toEqual({ value: 'said' })
  const anew = linkTo(server.address)
  expect(anew).not.toBe(before)
  const cut = failed(anew.call(callTo('read')))
  await eventually(() => answers.length === 2, 'the call')
  forget(server.address)
  close()
  expect(await cut).toMatchObject({ code: 'unknown-outcome' })
  await server.close()
})

import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure } from '../../base/failure.ts'
import { sha256 } from '../../base/hash.ts'
import { isFeed, type Call } from '../../link/call.ts'
import { HttpRefusal, type HttpRequest } from '../../link/http.ts'
import { httpLinkServer } from '../../link/http-link-server.ts'
import { maxMessageBytes } from '../../link/http-link.ts'
import { callTo } from '../../link/placement.suite.ts'
import { mostStrangers } from '../../link/strangers.ts'
import type { Transport, TransportServer } from '../../link/transport.ts'
import { systemEnv } from '../../base/env.ts'
import { logger } from '../../telemetry/log.ts'
import { eventually } from '../../testing/eventually.ts'
import { joseIdentities } from '../jose/index.ts'
import { httpTransport } from './index.ts'

/* The link over HTTP with peers that mean no good, beside a client that calls all the time. */

const env = systemEnv()
const lines: string[] = []
const seedOf = (issuer: string) =>
  Promise.resolve(new Uint8Array(Buffer.from(sha256(issuer, 'hex'), 'hex')))
const identities = joseIdentities({ env, seedOf })
const open = () =>
  httpTransport()({
    env,
    log: logger({ env, level: 'warn', write: (line) => lines.push(line) }),
    identities,
    secret: () => Promise.resolve(new Uint8Array()),
  })

let calls = 0
const answer = async ({ contract, operation, input }: Call) => {
  if (operation === 'count') calls += 1
  if (contract === 'unknown') throw failure('no-such-operation')
  if (operation === 'break') throw new Error('inner detail: /srv/app.ts, password=hunter2')
  return { value: input }
}
let server: TransportServer
let good: Transport
let port = 0
let token = ''
let going = true
let answered = 0
const failures: unknown[] = []
let caller: Promise<void>
beforeAll(async () => {
  good = open()
  const leaving = new AbortController().signal
  server = await open().listen({ host: '127.0.0.1', port: 0, link: { call: answer }, leaving })
  port = Number(new URL(server.address).port)
  token = await identities.sign({ kind: 'operator' }, 'made')
  const goOn = async () => {
    for (; going; answered += 1) {
      const call = callTo('read', { deadline: env.now() + 30_000 })
      await good.linkTo(server.address).call(call).catch((error: unknown) => failures.push(error)) // prettier-ignore
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  caller = goOn()
})
afterAll(async () => {
  going = false
  await caller
  good.close()
  await server.close()
  expect(failures).toEqual([])
  expect(answered).toBeGreaterThan(10)
})

const opened = async (to: number) => {
  const socket = connect({ port: to, host: '127.0.0.1' })
  const peer = { socket, text: '', over: false }
  socket.on('error', () => undefined)
  socket.on('close', () => (peer.over = true))
  socket.on('data', (bytes: Buffer) => (peer.text += bytes.toString('latin1')))
  await eventually(() => !socket.connecting || peer.over, 'a connection')
  return peer
}
const requestOf = (headers: Readonly<Record<string, string>>, body = '{}', path = 'made/count') => {
  const all = {
    host: 'link',
    authorization: `Bearer ${token}`,
    'serval-time-left-ms': '1000',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST /link/1/${path} HTTP/1.1\r\n${head.join('')}\r\n${body}`
}
/** Sends a request; answers the failure that came back, once the server has hung up. */
const refused = async (request: string | Uint8Array) => {
  const peer = await opened(port)
  peer.socket.write(request)
  await eventually(() => peer.over, `the end of ${String(request).slice(0, 60)}`)
  return JSON.parse(peer.text.slice(peer.text.indexOf('\r\n\r\n') + 4)) as object
}

test('what is no call is refused with what is wrong, runs nothing, and ends its connection', async () => {
  const other = joseIdentities({ env, seedOf: (issuer) => seedOf(`another ${issuer}`) })
  const strange = await other.sign({ kind: 'operator' }, 'made')
  const elsewhere = await identities.sign({ kind: 'operator' }, 'other')
  const time = (value: string) => requestOf({ 'serval-time-left-ms': value })
  const range = 'serval-time-left-ms is a whole number from 0 to 86400000, not'
  const cases: readonly (readonly [string, string | Uint8Array])[] = [
    ['a call needs an identity', requestOf({ authorization: '' })],
    ['the identity is not one that made takes', requestOf({ authorization: `Bearer ${strange}` })],
    ['the identity is not one that made takes', requestOf({ authorization: `Bearer ${elsewhere}` })],
    ['the identity is not one that made takes', requestOf({ authorization: 'Bearer a.b.c' })],
    ...['', 'NaN', '-1', '1.5', '1e3', '0x10', 'Infinity', '86400001', '9'.repeat(400)].map(
      (value) => [`${range} ${JSON.stringify(value.slice(0, 40))}`, time(value)] as const,
    ),
    ['the body cannot be read: it is not JSON in UTF-8', requestOf({}, '{"card": 4242')],
    ['the body cannot be read', Buffer.from(requestOf({ 'content-length': '3' }, '"\u00ff"'), 'latin1')],
    ['the key cannot be read', requestOf({ 'idempotency-key': '%zz' })],
    [`a call over a link has at most ${maxMessageBytes} bytes`, requestOf({ 'content-length': String(maxMessageBytes + 1) })],
    ['what came is no call', 'GARBAGE\r\n\r\n'],
    ['the header of a call is too large', requestOf({ 'x-much': 'x'.repeat(20_000) })],
  ] // prettier-ignore
  for (const [detail, request] of cases) {
    const said = await refused(request)
    expect(said).toMatchObject({ detail: expect.stringContaining(detail) })
    expect(Object.keys(said).sort()).toEqual(['code', 'detail', 'kind', 'ran', 'retryable', 'title']) // prettier-ignore
    expect(JSON.stringify(said)).not.toContain('4242')
  }
  expect(calls).toBe(0)
})

test('a body that is not complete in time is told as that', async () => {
  const handle = httpLinkServer({
    env,
    log: logger({ env, write: () => undefined }),
    identities,
    link: { call: answer },
    leaving: new AbortController().signal,
  })
  const slow: HttpRequest = {
    method: 'POST',
    target: '/link/1/made/count',
    header: (name) => ({ authorization: `Bearer ${token}`, 'serval-time-left-ms': '1000' })[name],
    remoteAddress: '',
    signal: new AbortController().signal,
    body: () => Promise.reject(new HttpRefusal(408, 'the body was not complete in time')),
  }
  const { body, last } = await handle(slow)
  expect(body).toContain('the link: a call was not complete in time')
  expect(last).toBe(true)
  expect(calls).toBe(0)
})

test('an unknown contract, and a handler that breaks, say no more than that, and keep their connection', async () => {
  const link = good.linkTo(server.address)
  const said = async (call: Call) => link.call(call).catch((error: unknown) => error)
  expect(await said(callTo('read', { contract: 'unknown' }))).toMatchObject({ code: 'no-such-operation' }) // prettier-ignore
  const broken = await said(callTo('break'))
  expect(broken).toMatchObject({ code: 'internal', message: 'Something unexpected went wrong' })
  expect(JSON.stringify(broken)).not.toContain('hunter2')
})

test('a large body that comes without an identity is answered before it is there', async () => {
  const peer = await opened(port)
  peer.socket.write(requestOf({ authorization: '', 'content-length': String(maxMessageBytes) }, ''))
  peer.socket.write(Buffer.alloc(65_536))
  await eventually(() => peer.text.includes('a call needs an identity'), 'the refusal')
  peer.socket.write(Buffer.alloc(65_536))
  peer.socket.end()
  await eventually(() => peer.over, 'the end of the connection')
  expect(peer.text.match(/HTTP\/1\.1/g)).toHaveLength(1)
})

test('of strangers that say nothing few are held, and who belongs here gets in', async () => {
  const flood: Awaited<ReturnType<typeof opened>>[] = []
  // On Bun the kernel keeps a connection back that has said nothing: one byte each.
  for (let nth = 0; nth < 2 * mostStrangers; nth += 64)
    flood.push(
      ...(await Promise.all(
        Array.from({ length: 64 }, async () => {
          const peer = await opened(port)
          peer.socket.write('P')
          return peer
        }),
      )),
    )
  const gone = () => flood.filter(({ over }) => over).length >= mostStrangers
  // Sooner than by the time that a request may take.
  await eventually(gone, 'the end of those that are too many', 5_000)
  const fresh = open()
  expect(await fresh.linkTo(server.address).call(callTo('read', { input: 1 }))).toEqual({
    value: 1,
  })
  fresh.close()
  expect(lines.join()).toContain(`more than ${mostStrangers} connections have not said anything`)
  expect(lines.length).toBeLessThan(30)
  for (const { socket } of flood) socket.destroy()
})

test('a server that answers what links do not answer, or without end, fails the call alone', async () => {
  const sockets = new Set<Socket>()
  let answerOf: (socket: Socket) => void = () => undefined
  const hostile = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => answerOf(socket))
  })
  await new Promise<void>((resolve) => hostile.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(hostile.address() as AddressInfo).port}`
  const head = (status: number, more = '') =>
    `HTTP/1.1 ${status} OK\r\nconnection: close\r\n${more}\r\n`
  const endless = (first: string) => (socket: Socket) => {
    socket.write(first)
    const go = () => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536, 'x')));
    }
    socket.on('drain', go)
    go()
  }
  const cases: readonly (readonly [string, (socket: Socket) => void])[] = [
    ['answered otherwise than links do', (socket) => socket.end(head(200, 'content-length: 13\r\n') + '{"card": 4242')],
    ['answered otherwise than links do', (socket) => socket.end(head(500, 'content-length: 5\r\n') + '<html')],
    ['what is not a failure', (socket) => socket.end(head(500, 'content-length: 2\r\n') + '{}')],
    ['the connection broke', (socket) => socket.end('SSH-2.0-OpenSSH_9\r\n')],
    ['the connection broke', (socket) => socket.destroy()],
    ['the connection broke', (socket) => socket.end(head(200, 'content-length: 100\r\n') + '{"a"')],
    [`an answer has at most ${maxMessageBytes} bytes`, endless(head(200, 'content-length: 99999999999\r\n'))],
    [`an item has at most ${maxMessageBytes} bytes`, endless(head(200, 'content-type: application/x-ndjson\r\n'))],
  ] // prettier-ignore
  const ask = async () => {
    const reply = await good.linkTo(address).call(callTo('read'))
    if (isFeed(reply)) for await (const _ of reply.value);
    throw new Error('it was answered')
  }
  for (const [detail, does] of cases) {
    answerOf = does
    const error = await ask().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ message: expect.stringContaining(detail) })
    expect(error).toMatchObject({ code: expect.stringMatching(/^(internal|unknown-outcome)$/) })
    expect(String(error)).not.toContain('4242')
  }
  const large = good.linkTo(address).call(callTo('read', { input: 'x'.repeat(maxMessageBytes) }))
  expect(await large.catch((thrown: unknown) => thrown)).toMatchObject({ code: 'invalid-input', ran: 'not-sent' }) // prettier-ignore
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => hostile.close(resolve))
}, 20_000)

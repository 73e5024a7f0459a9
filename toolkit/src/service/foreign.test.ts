import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { systemEnv } from '../base/env.ts'
import type { ServalError } from '../base/failure.ts'
import {
  command,
  contract,
  del,
  event,
  feed,
  get,
  patch,
  post,
  problem,
  put,
  query,
} from '../contract/index.ts'
import { memoryCache } from '../engines/memory-cache/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { startServices, type RunningServices } from '../host/services.ts'
import type { Call } from '../link/call.ts'
import type { ForeignOptions } from '../link/foreign-link.ts'
import { logger } from '../telemetry/log.ts'
import { eventually } from '../testing/eventually.ts'
import { foreignService } from './foreign.ts'

/* A server that knows nothing of Serval, and answers in every way that servers do. */

const env = systemEnv()
interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly port: number | undefined
}
const seen: Seen[] = []
let closed = 0
let answer: (response: ServerResponse, request: IncomingMessage) => unknown
const json = (status: number, value: unknown, headers = {}) => (response: ServerResponse) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value)) // prettier-ignore

const server = createServer((request, response) => {
  const { method = '', url = '', headers, socket } = request
  response.on('close', () => (closed += response.writableFinished ? 0 : 1))
  let body = ''
  request.on('data', (bytes: Buffer) => (body += bytes.toString()))
  request.on('end', () => {
    seen.push({ method, url, headers, body, port: socket.remotePort })
    answer(response, request)
  })
})
let origin = ''
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  seen.length = closed = 0
  answer = json(200, { id: 'p1' })
})

const Refused = problem('refused', { kind: 'unprocessable', title: 'It was refused' })
const TooBig = problem('too-big', { kind: 'invalid', title: 'Too big', data: z.object({ most: z.int() }) }) // prettier-ignore
const Away = problem('away', { kind: 'unavailable', title: 'Away', retryable: true })

const Id = z.object({ id: z.string() })
const once1 = { summary: 'x', access: 'internal', repeat: 'natural', output: Id } as const
const pay = contract('pay', {
  operations: {
    send: command({ ...once1, http: post('/send'), input: z.object({ to: z.string(), much: z.int().default(1) }), problems: [Refused, TooBig, Away] }), // prettier-ignore
    keyed: command({ ...once1, repeat: 'key', access: 'user', http: post('/keyed'), input: z.object({}) }), // prettier-ignore
    change: command({ ...once1, repeat: 'never', http: patch('/things/:id', { ifMatch: true }), input: Id.extend({ ifMatch: z.string().optional(), name: z.string() }) }), // prettier-ignore
    look: query({ summary: 'x', access: 'public', http: get('/things/:id'), input: Id.extend({ full: z.boolean().optional() }), output: Id }), // prettier-ignore
    put: command({ ...once1, repeat: 'never', http: put('/puts/:id'), input: Id }),
    drop: command({ ...once1, repeat: 'never', http: del('/drops/:id'), input: Id }),
    nothing: command({ ...once1, http: post('/nothing'), input: z.object({}), output: z.undefined() }), // prettier-ignore
    books: query({ summary: 'x', access: 'operator', http: get('/books'), input: z.object({}), output: Id }), // prettier-ignore
  },
})

const asService = { kind: 'service', name: 'shop' } as const
const made = (more: Partial<ForeignOptions> = {}) =>
  foreignService(pay, { address: `${origin}/v2/`, ...more })
const callTo = (operation: string, input: unknown, more: Partial<Call> = {}): Call => ({
  contract: 'pay',
  operation,
  input,
  caller: asService,
  key: undefined,
  deadline: env.now() + 10_000,
  signal: new AbortController().signal,
  trace: { correlationId: 'c-1' },
  strict: false,
  target: `pay.${operation}`,
  repeatable: false,
  ...more,
})
const send = { to: 'ada' }
const failing = (call: Call, more: Partial<ForeignOptions> = {}): Promise<ServalError> =>
  made(more).handle(call).then(
    () => Promise.reject(new Error('it was answered')),
    (error: ServalError) => error,
  ) // prettier-ignore

test('a call is a request by its binding, with our headers and nothing of who calls', async () => {
  const headers = { authorization: 'Bearer hunter2', 'x-version': '7' }
  const service = made({ headers })
  expect(await service.handle(callTo('send', { ...send, unknown: 1 }))).toEqual({ value: { id: 'p1' } }) // prettier-ignore
  await service.handle(callTo('change', { id: 'a b/c', ifMatch: '"t"', name: 'n' }))
  await service.handle(callTo('look', { id: 'a', full: true }))
  expect(seen.map(({ method, url, body }) => `${method} ${url} ${body}`)).toEqual([
    'POST /v2/send {"to":"ada","much":1}',
    'PATCH /v2/things/a%20b%2Fc {"name":"n"}',
    'GET /v2/things/a?full=true ',
  ])
  for (const one of seen)
    expect(one.headers).toMatchObject({ ...headers, 'x-request-id': 'c-1', accept: expect.stringContaining('application/json') }) // prettier-ignore
  expect(seen.map((one) => one.headers['content-type'])).toEqual([
    'application/json',
    'application/json',
    undefined,
  ])
  expect(seen[1]?.headers['if-match']).toBe('"t"')
  expect(JSON.stringify(seen)).not.toMatch(/serval|idempotency|shop/i)
  for (let call = 0; call < 10; call++) await service.handle(callTo('look', { id: 'a' }))
  expect(new Set(seen.map(({ port }) => port)).size, 'connections').toBeLessThan(4)
})

test('credentials may be made anew for each request; without them nothing is sent', async () => {
  let token = 1
  const service = made({ headers: async () => ({ authorization: `Bearer ${token++}` }) })
  await service.handle(callTo('send', send))
  await service.handle(callTo('send', send))
  expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer 1', 'Bearer 2'])
  for (const headers of [() => Promise.reject(new Error('no token')), () => ({ authorization: 'hunter2\n\n2' })]) // prettier-ignore
    expect(await failing(callTo('send', send), { headers })).toMatchObject({ code: 'unavailable', ran: 'not-sent' }) // prettier-ignore
  expect(seen).toHaveLength(2)
})

test('the same key of two callers, or of two operations, is two keys to it; of one, it is one', async () => {
  const service = made()
  const as = (id: string) => ({ kind: 'user', id, roles: [], session: 's' }) as const
  const calls = [
    callTo('keyed', {}, { key: 'k', caller: as('ada') }),
    callTo('keyed', {}, { key: 'k', caller: as('ada') }),
    callTo('keyed', {}, { key: 'k', caller: as('bob') }),
    callTo('keyed', {}, { key: 'k ö' }),
    callTo('send', send, { key: 'k ö' }),
  ]
  for (const call of calls) await service.handle(call)
  const keys = seen.map(({ headers }) => headers['idempotency-key'])
  expect(keys[0]).toMatch(/^[\w-]{43}$/)
  expect(keys[1]).toBe(keys[0])
  expect(new Set(keys).size).toBe(4)
  const missing = await failing(callTo('keyed', {}))
  expect(missing.code).toBe('idempotency-key-missing')
})

test('access and input are checked before anything is sent', async () => {
  const anonymous = { kind: 'anonymous' } as const
  const refused = async (operation: string, input: unknown, more: Partial<Call> = {}) =>
    (await failing(callTo(operation, input, more))).code
  expect(await refused('send', send, { caller: anonymous })).toBe('forbidden')
  expect(await refused('books', {})).toBe('forbidden')
  expect(await refused('keyed', {}, { caller: anonymous, key: 'k' })).toBe('unauthenticated')
  expect(await refused('send', { to: 1 })).toBe('invalid-input')
  expect(await refused('send', { ...send, unknown: 1 }, { strict: true })).toBe('invalid-input')
  expect(await refused('look', { id: '..' })).toBe('invalid-input')
  expect(await refused('$log', {})).toBe('no-such-operation')
  expect(await refused('toString', {})).toBe('no-such-operation')
  expect(seen).toHaveLength(0)
})

test('declared problems are told by the document’s code, by the end of its type, or by the setup’s table', async () => {
  const problems = { 402: Refused, card_declined: Refused, 409: TooBig }
  const heard = async (status: number, document: unknown) => {
    answer = json(status, document, { 'content-type': 'application/problem+json' })
    const { code, message, data } = await failing(callTo('send', send), { problems })
    return { code, message, data }
  }
  const refused = { code: 'refused', message: 'It was refused', data: undefined }
  const tooBig = { code: 'too-big', message: 'Too big', data: { most: 9 } }
  expect(await heard(400, { code: 'refused', detail: 'card 4111', secret: 1 })).toEqual(refused)
  expect(await heard(422, { type: 'https://pay.test/problems/refused' })).toEqual(refused)
  expect(await heard(422, { type: 'urn:pay:card_declined' })).toEqual(refused)
  expect(await heard(402, {})).toEqual(refused)
  expect(await heard(402, { code: 'odd', type: 'about:blank' })).toEqual(refused)
  expect(await heard(409, { code: 'odd', most: 9 })).toEqual(tooBig)
  expect(await heard(409, { code: 'refused' })).toEqual(refused)
  expect((await heard(409, { most: 'many' })).code).toBe('invalid-output')
  answer = json(402, {})
  const other = await failing(callTo('change', { id: 'a', name: 'n' }), { problems })
  expect(other.code, 'a problem that this operation does not declare').toBe('internal')
  answer = json(503, { code: 'away' })
  expect(await failing(callTo('send', send))).toMatchObject({ code: 'away', retryable: true, ran: 'ran' }) // prettier-ignore
})

const statuses = [
  [429, 'overloaded', 'not-sent', true],
  [408, 'unknown-outcome', 'unknown', true],
  [500, 'unknown-outcome', 'unknown', true],
  [502, 'unknown-outcome', 'unknown', true],
  [503, 'unknown-outcome', 'unknown', true],
  [400, 'internal', 'ran', false],
  [401, 'internal', 'ran', false],
  [404, 'internal', 'ran', false],
  [304, 'internal', 'unknown', false],
] as const
test.each(statuses)(
  '%i is %s, and the call is said to be %s',
  async (status, code, ran, retryable) => {
    const page = 'a page that echoes hunter2'
    answer = (response) => response.writeHead(status, { 'content-type': 'text/html' }).end(page)
    const failed = await failing(callTo('send', send), { headers: { authorization: 'hunter2' } })
    expect(failed).toMatchObject({ code, ran, retryable, data: undefined })
    expect(failed.message).toContain(`answered ${status}`)
    expect(JSON.stringify(failed) + failed.stack).not.toContain('hunter2')
  },
)

test('Retry-After is heard, in seconds and as a date', async () => {
  const heard = async (after: string) => {
    const date = 'Sun, 06 Nov 1994 08:49:37 GMT'
    answer = (response) => response.writeHead(429, { 'retry-after': after, date }).end()
    return (await failing(callTo('send', send))).data
  }
  expect(await heard('7')).toEqual({ retryAfterSeconds: 7 })
  expect(await heard('Sun, 06 Nov 1994 08:50:07 GMT')).toEqual({ retryAfterSeconds: 30 })
  for (const odd of ['soon', '-1', '', 'Sun, 06 Nov 1994 08:49:07 GMT']) expect(await heard(odd)).toBeUndefined() // prettier-ignore
})

test('a redirect is not followed: our credentials go nowhere else', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    answer = (response) => response.writeHead(status, { location: `${origin}/elsewhere` }).end()
    expect(await failing(callTo('send', send))).toMatchObject({ code: 'internal', ran: 'unknown' })
  }
  expect(seen.filter(({ url }) => url === '/elsewhere')).toEqual([])
})

test('a success that is not what the contract says is invalid-output, and has run', async () => {
  const odd: (typeof answer)[] = [
    (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('{"id":"p1"}'),
    (response) => response.writeHead(200).end('{"id":"p1"}'),
    (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"id"'),
    (response) => response.writeHead(204).end(),
    json(200, { id: 1 }),
    json(200, null),
    json(200, { id: 'x'.repeat(2_000) }),
  ]
  for (answer of odd)
    expect(await failing(callTo('send', send), { maxBodyBytes: 1_000 })).toMatchObject({
      code: 'invalid-output',
      ran: 'ran',
      retryable: false,
      message: expect.stringContaining('pay.send'),
    })
  answer = json(201, { id: 'p1', more: 1 }, { 'content-type': 'application/vnd.pay+json; charset=utf-8' }) // prettier-ignore
  expect(await made().handle(callTo('send', send))).toEqual({ value: { id: 'p1' } })
  answer = (response) => response.writeHead(204).end()
  expect(await made().handle(callTo('nothing', {}))).toEqual({ value: undefined })
})

test('of a reply without end no more is read than may be, and its connection ends', async () => {
  answer = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const more = () => void (response.write('x'.repeat(65_536)) ? setImmediate(more) : response.once('drain', more)) // prettier-ignore
    more()
  }
  expect((await failing(callTo('send', send))).code).toBe('invalid-output')
  await eventually(() => closed === 1, 'the end of the connection')
})

test('a connection that breaks before or within the answer leaves the outcome unknown; one that never was does not', async () => {
  const broken: (typeof answer)[] = [
    (_, { socket }) => socket.destroy(),
    (_, { socket }) => socket.end('this is not HTTP\r\n\r\n'),
    (response, { socket }) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 99 })
      response.write('{"id"', () => socket.destroy())
    },
    (response, { socket }) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"id":"p1"}', () => socket.destroy())
    },
    (response, { socket }) => {
      response.writeHead(402, { 'content-length': 99 })
      response.write('{"code"', () => socket.destroy())
    },
  ]
  for (answer of broken)
    expect(await failing(callTo('send', send), { problems: { 402: Refused } })).toMatchObject({
      code: 'unknown-outcome',
      ran: 'unknown',
      retryable: true,
    })
  expect(seen, 'none was sent twice').toHaveLength(broken.length)
  const unused = createServer().listen(0, '127.0.0.1')
  await once(unused, 'listening')
  const { port } = unused.address() as AddressInfo
  unused.close()
  await once(unused, 'close')
  for (const address of [`http://127.0.0.1:${port}`, 'http://nowhere.invalid'])
    expect(await failing(callTo('send', send), { address })).toMatchObject({ code: 'unavailable', ran: 'not-sent' }) // prettier-ignore
})

test('a connection that is used again and breaks has nothing sent twice', async () => {
  for (const [operation, input] of Object.entries({
    send,
    put: { id: 'a' },
    drop: { id: 'a' },
    change: { id: 'a', name: 'n' },
  })) {
    answer = json(200, { id: 'p1' })
    await made().handle(callTo('look', { id: 'a' }))
    await made().handle(callTo(operation, input))
    answer = (_, { socket }) => socket.destroy()
    seen.length = 0
    expect(await failing(callTo(operation, input))).toMatchObject({ code: 'unknown-outcome' })
    expect(seen, operation).toHaveLength(1)
  }
})

test('a caller that gives up closes the request, before the answer and within it', async () => {
  const beginnings: (typeof answer)[] = [
    () => undefined,
    (response) => response.writeHead(200, { 'content-type': 'application/json' }).write('{"id"'),
  ]
  for (answer of beginnings) {
    const caller = new AbortController()
    const outcome = failing(callTo('send', send, { signal: caller.signal }))
    const before = closed
    const calls = seen.length
    await eventually(() => seen.length > calls, 'the request')
    caller.abort(new Error('enough'))
    expect((await outcome).message).toBe('enough')
    await eventually(() => closed > before, 'the end of the request')
  }
})

test('what cannot be a foreign service fails at start, and its secrets are not told', () => {
  const wrong = (of: Parameters<typeof foreignService>[0], more: Partial<ForeignOptions> = {}) => {
    try {
      foreignService(of, { address: origin, ...more })
    } catch (error) {
      expect(error).toMatchObject({ code: 'misconfigured' })
      expect(String(error)).not.toContain('hunter2')
      return String(error)
    }
    return ''
  }
  const { look } = pay.operations
  const bare = query({ summary: 'x', access: 'public', input: Id, output: Id })
  expect(wrong(contract('a', { operations: { look, bare } }))).toContain('its operation bare has no http binding') // prettier-ignore
  const watch = feed({ summary: 'x', access: 'public', http: get('/w'), input: Id, output: Id })
  expect(wrong(contract('a', { operations: { watch } }))).toContain('its operation watch is a feed')
  const changed = event('a.changed', { version: 1, key: 'id', data: Id })
  expect(wrong(contract('a', { operations: { look }, events: { changed } }))).toContain('nobody would publish its changed') // prettier-ignore
  const Other = problem('other', { kind: 'conflict', title: 'x' })
  expect(wrong(pay, { problems: { 402: Other } })).toContain('402 stands for other, which none of its operations declares') // prettier-ignore
  expect(wrong(pay, { headers: { authorization: 'hunter2\n' + '\n2' } })).toContain('"authorization"') // prettier-ignore
  expect(wrong(pay, { maxBodyBytes: 0 })).toContain('maxBodyBytes is a whole number from 1; it is 0') // prettier-ignore
  for (const address of ['', 'pay.test', 'ftp://pay.test', 'http://', 'hunter2'])
    expect(wrong(pay, { address, setting: 'PAY_URL' })).toContain('PAY_URL must be a URL that begins with https:// or http://') // prettier-ignore
  for (const address of ['https://me:hunter2@pay.test', 'https://pay.test/?key=hunter2', 'https://pay.test/#hunter2']) // prettier-ignore
    expect(wrong(pay, { address })).toContain('its address must be a URL without user, password, ? and #') // prettier-ignore
})

const running = (): Promise<RunningServices> =>
  startServices({
    services: [],
    foreign: [made()],
    stores: memoryStores(),
    env,
    log: logger({ env, level: 'error', write: () => undefined }),
    ports: {},
    cache: memoryCache({}),
    secret: () => Promise.resolve(new Uint8Array(32)),
  })

test('it stands behind the usual guards: deadline, retry of what is harmless, breaker', async () => {
  const services = await running()
  const client = services.client(pay, asService)
  answer = () => undefined
  await expect(client.send(send, { deadlineMs: 50 })).rejects.toMatchObject({ code: 'deadline-exceeded', ran: 'unknown' }) // prettier-ignore
  await eventually(() => closed === 1, 'the end of the request')
  seen.length = 0
  const lostOnce: typeof answer = (response, { socket }) =>
    seen.length > 1 ? json(200, { id: 'p1' })(response) : socket.destroy()
  answer = lostOnce
  expect(await client.send(send)).toEqual({ id: 'p1' })
  expect(seen).toHaveLength(2)
  seen.length = 0
  await expect(client.change({ id: 'a', name: 'n' })).rejects.toMatchObject({ code: 'unknown-outcome' }) // prettier-ignore
  expect(seen, 'what may not run twice is sent once').toHaveLength(1)
  answer = json(500, {})
  const codes = await Promise.all(Array.from({ length: 30 }, () => client.look({ id: 'a' }).catch(({ code }: ServalError) => code))) // prettier-ignore
  expect(codes).toContain('unknown-outcome')
  await expect(client.look({ id: 'a' })).rejects.toMatchObject({ code: 'breaker-open' })
  await services.stop()
})

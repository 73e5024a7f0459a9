import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { systemEnv, type Env } from '../../base/env.ts'
import type { Peer } from '../../link/directory.ts'
import { testOnly } from '../../link/test-only-certificates.suite.ts'
import { watchedDirectory } from '../../link/watched-directory.suite.ts'
import { eventually } from '../../testing/eventually.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import { consulDirectory, nextIndex } from './directory.ts'

/* Consul itself is not here: this is a fake of the four requests that are made of it, after its documentation. */

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Registered {
  readonly ID: string
  readonly Address?: string
  readonly Port: number
  readonly Tags: readonly string[]
  readonly Meta: Readonly<Record<string, string>>
  readonly Check: Readonly<Record<string, string>>
}

const fakeConsul = async (make: (handle: RequestListener) => Server = createServer) => {
  const services = new Map<string, Registered>()
  const requests: string[] = []
  const tokens = new Set<string | undefined>()
  const waiting = new Set<() => void>()
  const fake = {
    services,
    requests,
    tokens,
    index: 10,
    /** What is answered instead, by a part of the path. */
    instead: new Map<string, (response: ServerResponse) => void>(),
    change: () => {
      fake.index += 1
      for (const wake of [...waiting]) wake()
      waiting.clear()
    },
    address: '',
    waiting,
  }
  const entries = () =>
    [...services.values()].map((Service) => ({
      Node: { Node: 'node', Address: '10.9.9.9', Meta: null },
      Service: { Address: '', ...Service, Check: undefined, Weights: { Passing: 1 } },
      Checks: [{ Status: 'passing' }],
    }))
  const bodyOf = async (request: IncomingMessage) => {
    let text = ''
    for await (const piece of request) text += String(piece)
    return text
  }
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://consul')
    requests.push(`${request.method} ${request.url}`)
    tokens.add(request.headers['x-consul-token']?.toString())
    const body = await bodyOf(request)
    for (const [part, answer] of fake.instead) if (pathname.includes(part)) return answer(response)
    if (pathname === '/v1/agent/service/register') {
      const service: Registered = JSON.parse(body)
      services.set(service.ID, service)
      fake.change()
      return response.end()
    }
    const id = decodeURIComponent(pathname.split('/').at(-1) ?? '')
    if (pathname.startsWith('/v1/agent/service/deregister/')) {
      services.delete(id)
      fake.change()
      return response.end()
    }
    if (pathname.startsWith('/v1/agent/check/pass/')) {
      response.statusCode = services.has(id.replace(/^service:/, '')) ? 200 : 404
      return response.end(response.statusCode === 200 ? '' : `Unknown check ID "${id}"`)
    }
    const known = Number(searchParams.get('index') ?? 0)
    if (known >= fake.index) await new Promise<void>((resolve) => waiting.add(resolve))
    response.setHeader('x-consul-index', fake.index)
    return response.end(JSON.stringify(entries()))
  }
  const server = make((request, response) => void handle(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  fake.address = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  ends.push(close)
  return { ...fake, fake, close }
}

const directoryAt = (at: string, token = '', env: Env = systemEnv()) =>
  consulDirectory({ env, at, token, passMs: 20 })

const watched = (directory: ReturnType<typeof directoryAt>) => {
  const { end, ...watching } = watchedDirectory(directory)
  ends.push(end)
  return watching
}

const peer = (
  id: string,
  contracts: readonly string[],
  address = 'wire://10.0.0.1:7070',
): Peer => ({
  id,
  address,
  contracts,
})

const register = (fake: { services: Map<string, Registered> }, id: string, more: object = {}) =>
  fake.services.set(id, {
    ID: id,
    Address: '10.0.0.1',
    Port: 7070,
    Tags: ['a'],
    Meta: { serval: 'wire' },
    Check: {},
    ...more,
  })

test('a host is registered with what it serves, passes its check, and is told to others until it leaves', async () => {
  const { fake } = await fakeConsul()
  const at = `${fake.address}?service=shop`
  const own = directoryAt(at, 'the token')
  const { becomes, failed } = watched(directoryAt(at, 'the token'))
  await own.announce(peer('one', ['a$log']))
  await becomes('one@wire://10.0.0.1:7070=a$log')
  await own.announce(peer('one', ['a', 'a$log']))
  await becomes('one@wire://10.0.0.1:7070=a+a$log')
  expect(fake.services.get('one')).toMatchObject({
    Name: 'shop',
    Check: {
      CheckID: 'service:one',
      TTL: '60ms',
      Status: 'passing',
      DeregisterCriticalServiceAfter: '1m',
    },
  })
  const passes = () =>
    fake.requests.filter((one) => one === 'PUT /v1/agent/check/pass/service%3Aone').length
  await eventually(() => passes() > 3, 'passing the check')
  await own.announce(undefined)
  expect(fake.services.size).toBe(0)
  expect(failed.length).toBeLessThan(2)
  expect([...fake.tokens]).toEqual(['the token'])
})

test('a host that listens everywhere is reached at the address of its agent; IPv6 too', async () => {
  const { fake } = await fakeConsul()
  const { becomes } = watched(directoryAt(fake.address))
  const [one, two] = [directoryAt(fake.address), directoryAt(fake.address)]
  ends.push(
    () => one.announce(undefined),
    () => two.announce(undefined),
  )
  await one.announce(peer('one', ['a'], 'wire://0.0.0.0:7070'))
  await two.announce(peer('two', ['b'], 'http://[fd00::1]:7070'))
  await becomes('one@wire://10.9.9.9:7070=a two@http://[fd00::1]:7070=b')
})

test('a host that Consul has forgotten is registered again', async () => {
  const { fake } = await fakeConsul()
  const own = directoryAt(fake.address)
  ends.push(() => own.announce(undefined))
  await own.announce(peer('one', ['a']))
  fake.services.clear()
  await eventually(() => fake.services.has('one'), 'the registration')
})

test('a refusal is told to who starts; that Consul is away keeps nobody from starting', async () => {
  const { fake, close } = await fakeConsul()
  fake.instead.set('register', (response) => {
    response.statusCode = 403
    response.end('Permission denied: token lacks permission')
  })
  await expect(directoryAt(fake.address).announce(peer('one', ['a']))).rejects.toMatchObject({
    code: 'misconfigured',
    message:
      'Consul refused the registration of one: 403 Permission denied: token lacks permission',
  })
  close()
  const own = directoryAt(fake.address)
  await own.announce(peer('one', ['a']))
  await own.announce(undefined)
})

test('after a refusal a host can be registered', async () => {
  const { fake } = await fakeConsul()
  fake.instead.set('register', (response) => void response.writeHead(403).end('no'))
  const own = directoryAt(fake.address)
  ends.push(() => own.announce(undefined))
  await expect(own.announce(peer('one', ['a']))).rejects.toThrow('403')
  fake.instead.clear()
  await own.announce(peer('one', ['a']))
  expect([...fake.services.keys()]).toEqual(['one'])
  await own.announce(undefined)
  expect(fake.services.size).toBe(0)
})

test('changes are waited for by index; one that went backwards is begun anew', async () => {
  expect(nextIndex(5, '7')).toBe(7)
  expect(nextIndex(5, '5')).toBe(5)
  for (const given of ['4', '0', '-1', 'x', '1.5', '', null]) expect(nextIndex(5, given)).toBe(0)
  const { fake } = await fakeConsul()
  register(fake, 'one')
  const { becomes } = watched(directoryAt(fake.address))
  await becomes('one@wire://10.0.0.1:7070=a')
  await eventually(() => fake.waiting.size === 1, 'a blocking query')
  expect(fake.requests.at(-1)).toBe('GET /v1/health/service/serval?passing=1&index=10&wait=60s')
  fake.index = 3
  register(fake, 'two')
  fake.change()
  await becomes('one@wire://10.0.0.1:7070=a two@wire://10.0.0.1:7070=a')
  await eventually(() => fake.requests.at(-1)?.includes('index=4') === true, 'the new index')
  expect(fake.requests.at(-2)).toBe('GET /v1/health/service/serval?passing=1')
})

test('what is no host of a fleet is left out, and told', async () => {
  const { fake } = await fakeConsul()
  register(fake, 'one')
  register(fake, 'no-scheme', { Meta: {} })
  register(fake, 'no-port', { Port: 0 })
  register(fake, 'no-address', { Address: 'a/b' })
  register(fake, 'no-tags', { Tags: null })
  const { becomes, failed } = watched(directoryAt(fake.address))
  await becomes('one@wire://10.0.0.1:7070=a')
  expect(failed).toEqual([expect.stringContaining('4 under the name serval that are no hosts')])
})

const lies: readonly (readonly [string, string, (response: ServerResponse) => void])[] = [
  ['something other than JSON', 'other than JSON', (response) => void response.end('<html>')],
  ['something other than a list', 'other than a list', (response) => void response.end('{"a":1}')],
  ['a failure', '500 no leader', (response) => void response.writeHead(500).end('no leader')],
  [
    'a redirection',
    'Consul refused the list of serval: 302',
    (response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  ],
  [
    'an answer without end',
    'more than 16777216 bytes',
    (response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('error', () => undefined)
      response.on('drain', more)
      more()
    },
  ],
  ['a list of nobody', 'knows no host', (response) => void response.end('[]')],
]
test.each(lies)('what was known stays when Consul answers %s', async (_, why, answer) => {
  const { fake } = await fakeConsul()
  register(fake, 'one')
  const { told, failed, becomes } = watched(directoryAt(fake.address))
  await becomes('one@wire://10.0.0.1:7070=a')
  fake.instead.set('health', answer)
  fake.change()
  await eventually(() => failed.some((one) => one.includes(why)), `${why} (${failed.join()})`)
  expect(told).toHaveLength(1)
  fake.instead.clear()
  register(fake, 'two')
  await becomes('one@wire://10.0.0.1:7070=a two@wire://10.0.0.1:7070=a')
})

test('an answer that does not come is waited for no longer than it may take', async () => {
  const { fake } = await fakeConsul()
  register(fake, 'one')
  const env = manualEnv()
  const { told, failed } = watched(directoryAt(fake.address, '', env))
  await eventually(() => told.length === 1, 'hosts')
  await env.advance(200)
  await eventually(() => fake.waiting.size === 1, 'a blocking query')
  await env.advance(63_000)
  expect(failed).toEqual([])
  await env.advance(10_000)
  await eventually(() => failed.length === 1, 'a failure')
  expect(failed[0]).toContain('no answer within 68750 ms')
  expect(told).toHaveLength(1)
})

test('what was known stays while Consul is gone', async () => {
  const { fake, close } = await fakeConsul()
  register(fake, 'one')
  const { told, failed, becomes } = watched(directoryAt(fake.address))
  await becomes('one@wire://10.0.0.1:7070=a')
  close()
  await eventually(() => failed.length === 1, 'a failure')
  expect(told).toHaveLength(1)
})

test('over TLS the agent is known by the authority that is named, whatever the environment says', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'serval-consul-'))
  const setting = 'NODE_TLS_REJECT_UNAUTHORIZED'
  const before = process.env[setting]
  process.env[setting] = '0'
  ends.push(() => {
    rmSync(folder, { recursive: true })
    if (before === undefined) delete process.env[setting]
    else process.env[setting] = before
  })
  const { fake } = await fakeConsul((handle) => createTlsServer(testOnly.server, handle))
  const secure = fake.address.replace('http:', 'https:')
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const at = `${secure}?ca=${file('ca.pem', testOnly.server.cert)}`
  const own = directoryAt(at, 'the token')
  ends.push(() => own.announce(undefined))
  await own.announce(peer('one', ['a']))
  const { becomes } = watched(directoryAt(at, 'the token'))
  await becomes('one@wire://10.0.0.1:7070=a')
  // One that somebody else's authority signed, or nobody's, is told nothing, the token least of all.
  for (const other of ['', `?ca=${file('other.pem', testOnly.other.ca)}`]) {
    const { failed, told } = watched(directoryAt(secure + other, 'another token'))
    await eventually(() => failed.length + told.length > 0, 'the refusal')
    expect(failed[0]).toMatch(/certificate/i)
    expect(told).toEqual([])
  }
  expect([...fake.tokens]).toEqual(['the token'])
  for (const wrong of [file('wrong.pem', 'x'), join(folder, 'none.pem')])
    expect(() => directoryAt(`${secure}?ca=${wrong}`)).toThrow(`ca is a file in PEM; ${wrong}`)
})

test.each([
  ['', 'the agent’s address is a URL'],
  ['127.0.0.1:8500', 'the agent’s address is a URL'],
  ['http://127.0.0.1:8500/v1', 'the agent’s address is a URL'],
  ['http://user:secret@127.0.0.1:8500', 'the agent’s address is a URL'],
  ['http://127.0.0.1:8500?service=a%20b', 'service is a name of the DNS, not "a b"'],
  ['http://127.0.0.1:8500?token=a', 'there is no option token, but service, ca'],
  ['http://127.0.0.1:8500?ca=/ca.pem', 'ca is for an agent at https://'],
])('a text that is wrong is refused with what is wrong: %s', (at, message) => {
  expect(() => directoryAt(at)).toThrow(message)
})

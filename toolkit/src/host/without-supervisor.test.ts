import { createServer } from 'node:net'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { systemEnv } from '../base/env.ts'
import { command, contract, event, query } from '../contract/index.ts'
import { dnsDirectory } from '../engines/dns/index.ts'
import { dnsServer } from '../engines/dns/dns-server.suite.ts'
import { httpTransport, listenHttp } from '../engines/http/index.ts'
import { joseIdentities } from '../engines/jose/index.ts'
import { memoryRepository } from '../engines/memory/index.ts'
import { wireTransport } from '../engines/sockets/index.ts'
import type { Directory } from '../link/directory.ts'
import { balancedLink } from '../link/balance.ts'
import { callTo } from '../link/placement.suite.ts'
import { staticDirectory } from '../link/static-directory.ts'
import { service } from '../service/index.ts'
import { repository } from '../store/repository.ts'
import { logger } from '../telemetry/log.ts'
import { eventually } from '../testing/eventually.ts'
import { startHost, type RunningHost, type Share } from './host.ts'
import { testSetup } from './test-setup.suite.ts'

/* Two services that call each other, and read each other's events, each in a host of its own: neither can start without the other. */

const env = systemEnv()
const Word = z.object({ text: z.string() })

const promise = <Name extends string>(name: Name) =>
  contract(name, {
    operations: {
      say: command({ summary: 'Says a word', access: 'internal', repeat: 'natural', input: Word, output: z.undefined() }), // prettier-ignore
      heard: query({ summary: 'What the other one said', access: 'internal', input: z.object({}), output: z.array(z.string()) }), // prettier-ignore
      ask: query({ summary: 'What this one heard, as the other one tells', access: 'internal', input: z.object({}), output: z.array(z.string()) }), // prettier-ignore
    },
    events: { said: event(`${name}.said`, { version: 1, key: 'text', data: Word }) },
  })
const east = promise('east')
const west = promise('west')

interface Words {
  add(text: string): void
  all(): Promise<readonly string[]>
}
const words = () =>
  repository<Words>({
    scope: 'service',
    engines: {
      memory: async () =>
        memoryRepository<Words>({
          open: (session) => {
            const table = session.table<{ text: string }>('words')
            return {
              add: (text) => table.put(text, { text }),
              all: async () => [...table.all()].map(({ text }) => text),
            }
          },
        }),
    },
  })

const eastService = service(east, {
  uses: { other: west },
  repositories: { words: words() },
  operations: {
    say: (word, { step }) =>
      step(async (s) => {
        s.emit(east.events.said, word)
        return undefined
      }),
    heard: async (_, { read }) => [...(await read((r) => r.words.all()))],
    ask: async (_, { uses }) => uses.other.heard({}),
  },
  subscriptions: (on) => [
    on(west.events.said, ({ data }, { step }) => step(async (s) => s.words.add(data.text))),
  ],
})
const westService = service(west, {
  uses: { other: east },
  repositories: { words: words() },
  operations: {
    say: (word, { step }) =>
      step(async (s) => {
        s.emit(west.events.said, word)
        return undefined
      }),
    heard: async (_, { read }) => [...(await read((r) => r.words.all()))],
    ask: async (_, { uses }) => uses.other.heard({}),
  },
  subscriptions: (on) => [
    on(east.events.said, ({ data }, { step }) => step(async (s) => s.words.add(data.text))),
  ],
})

const ends: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()))
})

/** An address of this machine that no other process takes, so that a port which is free there stays free. */
const loopback = () => `127.${[1, 2, 3].map(() => 1 + Math.floor(Math.random() * 250)).join('.')}`

const freePort = async (host: string): Promise<number> => {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

interface Asked {
  readonly share: Share
  readonly directory: Directory
  readonly host: string
  readonly port: number
  readonly transport?: ReturnType<typeof wireTransport>
  readonly health?: (port: number) => void
}

const logged: string[] = []
const start = async (asked: Asked): Promise<RunningHost> => {
  const { share, directory, host, port, health } = asked
  const setup = testSetup({
    system: { name: 'map', title: 'A map', version: '1', services: [eastService, westService] },
    fleet: {
      roles: {},
      link: { host, port },
      directory,
      transport: asked.transport ?? wireTransport(),
      identities: joseIdentities,
      ...(health && {
        health: {
          host,
          port: 0,
          listen: async (options) => {
            const server = await listenHttp(options)
            health(server.port)
            return server
          },
        },
      }),
    },
  })
  const log = logger({ env, level: 'warn', write: (line) => logged.push(line) })
  const running = await startHost({ setup, env, log, share })
  ends.push(() => running.drain())
  return running
}
const only = (name: string): Share => ({ services: [name], edge: false })
const caller = { kind: 'service', name: 'map' } as const
const clientOf = (host: RunningHost, one: typeof east | typeof west) =>
  host.services.client(one, caller)

const contracts = ['east', 'west']

/** Two hosts on addresses of their own, with one port, and what a name server says of them. */
const places = async () => {
  const hosts = { east: loopback(), west: loopback() }
  const port = await freePort(hosts.east)
  const server = await dnsServer()
  ends.push(() => server.close())
  for (const [name, address] of Object.entries(hosts))
    server.names.set(`${name}.map.test`, [{ type: 'A', address }])
  return { hosts, port, server }
}

const directories = {
  static: ({ hosts, port }: Awaited<ReturnType<typeof places>>, scheme: string) =>
    staticDirectory({
      contracts,
      at: `east=${scheme}://${hosts.east}:${port};west=${scheme}://${hosts.west}:${port}`,
    }),
  dns: ({ port, server }: Awaited<ReturnType<typeof places>>, scheme: string) =>
    dnsDirectory({
      env,
      contracts,
      scheme,
      at: `{contract}.map.test:${port}?every=0.05&server=${server.address}`,
    }),
}

const cases = [
  ['static', 'http', httpTransport()],
  ['dns', 'wire', wireTransport()],
] as const

for (const [name, scheme, transport] of cases)
  test(`two hosts that start together find, call and hear each other by names alone: ${name}, ${scheme}`, async () => {
    const made = await places()
    const directory = () => directories[name](made, scheme)
    const host = (share: Share, at: string, port = made.port) =>
      start({ share, directory: directory(), host: at, port, transport })
    const [one, other] = await Promise.all([
      host(only('east'), made.hosts.east),
      host(only('west'), made.hosts.west),
      host({ services: [], edge: true }, loopback(), 0),
    ])
    await clientOf(one, west).say({ text: 'hello' })
    await clientOf(other, east).say({ text: 'good day' })
    const heard = async (from: RunningHost, of: typeof east | typeof west) =>
      JSON.stringify(await clientOf(from, of).ask({}))
    await eventually(async () => (await heard(one, west)) === '["hello"]', 'what west said')
    await eventually(async () => (await heard(other, east)) === '["good day"]', 'what east said')
  })

describe('before a host serves', () => {
  test('it refuses calls as not sent, its health says so, and an edge waits; its log is read', async () => {
    const made = await places()
    const directory = () => directories.static(made, 'wire')
    let health = 0
    const starting = start({
      share: only('east'),
      directory: directory(),
      host: made.hosts.east,
      port: made.port,
      health: (port) => (health = port),
    })
    const status = async (path: string) =>
      (await fetch(`http://${made.hosts.east}:${health}/health/${path}`)).status
    await eventually(() => health > 0, 'the health address')
    expect([await status('live'), await status('ready'), await status('other')]).toEqual([200, 503, 404]) // prettier-ignore
    let open = false
    const edge = start({
      share: { services: [], edge: true },
      directory: directory(),
      host: loopback(),
      port: 0,
    }).then((running) => {
      open = true
      return running
    })
    const asking = only('west')
    // West waits for east's log, which is served, and east for west's.
    const other = start({
      share: asking,
      directory: directory(),
      host: made.hosts.west,
      port: made.port,
      transport: (context) => {
        const transport = wireTransport()(context)
        return {
          ...transport,
          listen: async (options) => {
            const to = transport.linkTo(`wire://${made.hosts.east}:${made.port}`)
            const call = {
              input: {},
              caller,
              key: undefined,
              deadline: env.now() + 5_000,
              signal: new AbortController().signal,
              trace: { correlationId: 'c' },
              strict: false,
              repeatable: false,
            }
            const asked = (contractName: string, operation: string) =>
              to.call({ ...call, contract: contractName, operation, target: operation }).then(
                (reply) => (reply.remembered === undefined ? reply.value : reply),
                (error: unknown) => error,
              )
            const refused = { code: 'unavailable', ran: 'not-sent', retryable: true }
            expect(await asked('east', '$log.heads')).toEqual(expect.any(Array))
            expect(await asked('east', 'heard')).toMatchObject({ ...refused, message: 'east.heard: the host is starting' }) // prettier-ignore
            expect(await asked('east', '$serves')).toMatchObject(refused)
            expect(await asked('west', '$serves')).toMatchObject({ ...refused, message: 'this host does not serve west' }) // prettier-ignore
            expect(open).toBe(false)
            return transport.listen(options)
          },
        }
      },
    })
    const one = await starting
    await Promise.all([other, edge])
    expect(await status('ready')).toBe(200)
    const leaving = one.drain()
    expect(await status('ready')).toBe(503)
    await leaving
  })
})

describe('a directory that lies', () => {
  /** A link of this fleet to whom a directory names. */
  const linked = (at: string) => {
    const seed = new TextEncoder().encode('a seed of thirty-two bytes, or so')
    const transport = wireTransport()({
      env,
      log: logger({ env, level: 'error', write: () => undefined }),
      identities: joseIdentities({ env, seedOf: () => Promise.resolve(seed.slice(0, 32)) }),
      secret: () => Promise.resolve(seed),
    })
    const directory = staticDirectory({ contracts, at })
    const link = balancedLink({ env, directory, linkTo: transport.linkTo })
    ends.push(() => transport.close())
    return (contractName: string) =>
      link.call(callTo('heard', { contract: contractName, deadline: env.now() + 5_000 })).then(
        () => 'answered',
        (error: unknown) => error,
      )
  }

  test('about a host of another fleet: it is refused by its secret, as not sent', async () => {
    const made = await places()
    const at = `all=wire://${made.hosts.east}:${made.port}`
    const directory = staticDirectory({ contracts, at })
    const share = { services: contracts, edge: false }
    await start({ share, directory, host: made.hosts.east, port: made.port })
    expect(await linked(at)('west')).toMatchObject({
      code: 'unavailable',
      ran: 'not-sent',
      message: expect.stringContaining('do not share a secret'),
    })
  })

  test('about who serves, and where: calls go to the one that does, and failures say why', async () => {
    const made = await places()
    const stranger = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    }).listen(0, made.hosts.east)
    await once(stranger, 'listening')
    ends.push(() => stranger.close())
    const taken = stranger.address()
    const east1 = `wire://${made.hosts.east}:${made.port}`
    const west1 = `wire://${made.hosts.west}:${made.port}`
    const nobody = `wire://${made.hosts.west}:1`
    const wrong = `wire://${made.hosts.east}:${typeof taken === 'object' ? taken?.port : 0}`
    const lying = `all=${east1},${west1},${nobody},${wrong},ftp://a:1`
    const honest = `east=${east1};west=${west1}`
    const at = (text: string) => staticDirectory({ contracts, at: text })
    const [one] = await Promise.all([
      start({ share: only('east'), directory: at(lying), host: made.hosts.east, port: made.port }),
      start({ share: only('west'), directory: at(honest), host: made.hosts.west, port: made.port }),
    ])
    for (let n = 0; n < 20; n++) await clientOf(one, west).say({ text: `word ${n}` })
    const message = async (text: string) => String(await linked(`all=${text}`)('west'))
    expect(await message(nobody)).toContain(`${nobody} cannot be reached`)
    expect(await message(wrong)).toContain(`${wrong} cannot be reached: the link`)
    expect(await message('ftp://a:1')).toContain('ftp://a:1')
  })
})

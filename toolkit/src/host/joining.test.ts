import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { systemEnv } from '../base/env.ts'
import { command, contract, event, get, post, problem, put, query } from '../contract/index.ts'
import { httpTransport } from '../engines/http/index.ts'
import { joseIdentities } from '../engines/jose/index.ts'
import { memoryRepository, memoryStores } from '../engines/memory/index.ts'
import { wireTransport } from '../engines/sockets/index.ts'
import type { Directory, Peer } from '../link/directory.ts'
import { testOnly } from '../link/test-only-certificates.suite.ts'
import { service } from '../service/index.ts'
import { repository } from '../store/repository.ts'
import { logger } from '../telemetry/log.ts'
import { eventually } from '../testing/eventually.ts'
import { startHost, type RunningHost, type Share } from './host.ts'
import { testSetup } from './test-setup.suite.ts'
import type { Setup } from './setup.ts'

/* A system of three services, whole in one host, and each in a host of its own: what a client sees is the same. */

const Sign = z.object({ id: z.string(), text: z.string() })
type Sign = z.output<typeof Sign>
const NoSuchSign = problem('no-such-sign', {
  kind: 'not-found',
  title: 'There is no such sign',
  data: z.object({ id: z.string() }),
})

interface Rows<T> {
  put(id: string, row: T): void
  get(id: string): Promise<T | undefined>
}
const rows = <T extends object>(name: string) =>
  repository<Rows<T>>({
    scope: 'service',
    engines: {
      memory: async () =>
        memoryRepository<Rows<T>>({
          open: (session) => {
            const table = session.table<T>(name)
            return { put: (id, row) => table.put(id, row), get: async (id) => table.get(id) }
          },
        }),
    },
  })

const signs = contract('signs', {
  operations: {
    read: query({
      summary: 'A sign',
      access: 'public',
      http: get('/signs/:id'),
      input: z.object({ id: z.string() }),
      output: Sign,
      problems: [NoSuchSign],
      cache: { ttl: '10m', tags: ['sign::id'] },
    }),
    write: command({
      summary: 'Writes a sign',
      access: 'public',
      repeat: 'natural',
      http: put('/signs/:id', { status: 204 }),
      input: Sign,
      output: z.undefined(),
    }),
  },
  events: {
    written: event('sign.written', { version: 1, key: 'id', data: Sign, purges: ['sign::id'] }),
  },
})
const signsService = service(signs, {
  repositories: { signs: rows<Sign>('signs') },
  operations: {
    read: async ({ id }, { read }) => {
      const sign = await read((r) => r.signs.get(id))
      if (sign === undefined) throw NoSuchSign({ id })
      return sign
    },
    write: (sign, { step }) =>
      step(async (s) => {
        s.signs.put(sign.id, sign)
        s.emit(signs.events.written, sign)
        return undefined
      }),
  },
})

const front = contract('front', {
  operations: {
    shout: query({
      summary: 'What a sign says, loudly',
      access: 'public',
      http: post('/front/shout'),
      input: z.object({ id: z.string() }),
      output: z.object({ text: z.string(), caller: z.string() }),
      problems: [NoSuchSign],
    }),
  },
})
const frontService = service(front, {
  uses: { signs },
  operations: {
    shout: async ({ id }, { uses, caller }) => ({
      text: (await uses.signs.read({ id })).text.toUpperCase(),
      caller: caller.kind,
    }),
  },
})

const copies = contract('copies', {
  operations: {
    copy: query({
      summary: 'What a sign said when it was last heard of',
      access: 'public',
      http: get('/copies/:id'),
      input: z.object({ id: z.string() }),
      output: z.object({ text: z.string().optional() }),
    }),
  },
})
const copiesService = service(copies, {
  repositories: { copies: rows<Sign>('copies') },
  operations: {
    copy: async ({ id }, { read }) => ({ text: (await read((r) => r.copies.get(id)))?.text }),
  },
  subscriptions: (on) => [
    on(signs.events.written, ({ data }, { step }) =>
      step(async (s) => {
        if (data.text === 'unreadable') throw new Error('it cannot be read')
        s.copies.put(data.id, data)
      }),
    ),
  ],
})

const openDirectory = () => {
  const peers = new Map<string, Peer>()
  const told = new Set<(peers: readonly Peer[]) => void>()
  const tell = () => {
    for (const one of told) one([...peers.values()])
  }
  return (): Directory => {
    let self: Peer | undefined
    return {
      watch: (listener) => {
        told.add(listener)
        listener([...peers.values()])
        return () => told.delete(listener)
      },
      announce: async (now) => {
        if (self !== undefined) peers.delete(self.id)
        if (now !== undefined) peers.set(now.id, now)
        self = now
        tell()
      },
    }
  }
}

const env = systemEnv()
const everything = { services: ['signs', 'front', 'copies'], edge: true }
const placements: readonly (readonly [string, readonly Share[]])[] = [
  ['one host', [everything]],
  ['an edge and two equal hosts', [{ services: [], edge: true }, { ...everything, edge: false }, { ...everything, edge: false }]], // prettier-ignore
  ['each service apart', [{ services: ['copies'], edge: false }, { services: ['front'], edge: false }, { services: [], edge: true }, { services: ['signs'], edge: false }]], // prettier-ignore
]

const cases = placements.flatMap(([name, shares], nth) => [
  { name: `${name}, over HTTP`, shares, transport: httpTransport() },
  ...(nth === 0 ? [] : [{ name: `${name}, over the wire`, shares, transport: wireTransport() }]),
])
const certificates = { current: testOnly.host, renew: () => false }
const apart = placements[2]?.[1] ?? []
cases.push(
  { name: 'each apart, over HTTP and TLS', shares: apart, transport: httpTransport({ certificates }) },
  { name: 'each apart, over the wire and TLS', shares: apart, transport: wireTransport({ certificates }) },
) // prettier-ignore

for (const { name, shares, transport } of cases)
  describe(name, () => {
    const stores = memoryStores()
    const hosts: RunningHost[] = []
    const errors: string[] = []
    let address = ''
    let operator = ''
    let key = ''
    beforeAll(async () => {
      const directory = openDirectory()
      const setup = () =>
        testSetup({
          system: {
            name: 'town',
            title: 'A town',
            version: '1',
            services: [signsService, frontService, copiesService],
          },
          // Each host closes its own on a real engine; here they share one.
          stores: { ...stores, close: () => Promise.resolve() },
          fleet: {
            roles: {},
            link: { host: '127.0.0.1', port: 0 },
            directory: directory(),
            transport,
            identities: joseIdentities,
          },
        })
      const log = logger({ env, level: 'error', write: (line) => errors.push(line) })
      // All at once: they need each other to start.
      hosts.push(
        ...(await Promise.all(
          shares.map((share) => startHost({ setup: setup(), env, log, share })),
        )),
      )
      const edge = hosts.find((host) => host.edge !== undefined)?.edge
      address = `http://127.0.0.1:${edge?.public.port}`
      operator = `http://127.0.0.1:${edge?.operator.port}`
      key = edge?.operatorKey ?? ''
    })
    afterAll(async () => {
      await Promise.all(hosts.map((host) => host.drain()))
    })
    const ask = async (path: string, method = 'GET', body?: object) => {
      const response = await fetch((path.startsWith('/operator') ? operator : address) + path, {
        method,
        headers: { 'content-type': 'application/json', 'x-serval-operator': key },
        ...(body && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      return {
        status: response.status,
        body: text === '' ? undefined : (JSON.parse(text) as object),
      }
    }

    test('a change is read at once, also where its old state was cached, on every host', async () => {
      for (let n = 0; n < 20; n++) {
        await ask('/signs/a', 'PUT', { text: `text ${n}` })
        expect(await ask('/signs/a')).toEqual({ status: 200, body: { id: 'a', text: `text ${n}` } })
        expect((await ask('/front/shout', 'POST', { id: 'a' })).body).toEqual({
          text: `TEXT ${n}`,
          caller: 'anonymous',
        })
      }
    })

    test('a problem of a service that another one calls arrives with its data', async () => {
      const { status, body } = await ask('/front/shout', 'POST', { id: 'none' })
      expect(status).toBe(404)
      expect(body).toMatchObject({ code: 'no-such-sign', id: 'none' })
    })

    test('events arrive where they are subscribed to, and what fails there is parked and seen to', async () => {
      await ask('/signs/b', 'PUT', { text: 'hello' })
      await eventually(
        async () => JSON.stringify((await ask('/copies/b')).body).includes('hello'),
        'the copy of a sign',
      )
      await ask('/signs/c', 'PUT', { text: 'unreadable' })
      const parked = await eventually(
        async () => {
          const { body } = await ask('/operator/v1/parked')
          return JSON.stringify(body).includes('"c"') && body
        },
        'the parked message',
        30_000,
      )
      expect(parked).toMatchObject({ items: [{ service: 'copies', publisher: 'signs', key: 'c' }] })
      const about = { service: 'copies', publisher: 'signs', key: 'c' }
      expect((await ask('/operator/v1/parked/discard', 'POST', about)).status).toBe(204)
      expect((await ask('/operator/v1/parked')).body).toEqual({ items: [] })
      expect(JSON.stringify((await ask('/operator/v1/readers')).body)).toContain('"copies"')
    }, 40_000)

    test('nothing was logged as an error but the message that cannot be read', () => {
      expect(errors.filter((line) => !line.includes('it cannot be read'))).toEqual([])
    })
  })

test('a share that this setup cannot run is refused before anything starts', async () => {
  const setup: Partial<Setup> = {
    system: { name: 'town', title: '', version: '1', services: [signsService] },
    stores: memoryStores(),
  }
  const start = (share: Share) =>
    startHost({
      // Nothing else of it is looked at.
      setup: setup as Setup,
      env,
      log: logger({ env, level: 'error', write: () => undefined }),
      share,
    }).catch((error: unknown) => error)
  expect(await start({ services: ['signs', 'sings'], edge: true })).toMatchObject({
    code: 'misconfigured',
    message: 'there is no service sings; town has signs',
  })
  expect(await start({ services: [], edge: true })).toMatchObject({
    code: 'misconfigured',
    message: 'this setup is one process: it cannot run a part of the system',
  })
})

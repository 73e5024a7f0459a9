import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { systemEnv } from '../base/env.ts'
import { command, contract, get, post, query } from '../contract/index.ts'
import { joseIdentities } from '../engines/jose/index.ts'
import { wireTransport } from '../engines/sockets/index.ts'
import type { Directory, Peer } from '../link/directory.ts'
import { foreignService } from '../service/foreign.ts'
import { service } from '../service/index.ts'
import { logger } from '../telemetry/log.ts'
import { partsOf, rolesOf } from './foreign.ts'
import { startHost, type RunningHost, type Share } from './host.ts'
import type { FleetSetup } from './joining.ts'
import type { Setup } from './setup.ts'
import { testSetup } from './test-setup.suite.ts'

const env = systemEnv()
const Said = z.object({ said: z.string() })
const far = contract('far', {
  operations: {
    tell: command({ summary: 'x', access: 'internal', repeat: 'natural', http: post('/told'), input: Said, output: Said }), // prettier-ignore
    books: query({ summary: 'x', access: 'operator', http: get('/books'), input: z.object({}), output: Said }), // prettier-ignore
    open: query({ summary: 'x', access: 'public', http: get('/open'), input: z.object({}), output: Said }), // prettier-ignore
  },
})
const near = contract('near', {
  operations: {
    pass: command({ summary: 'x', access: 'public', repeat: 'natural', http: post('/pass'), input: Said, output: Said }), // prettier-ignore
  },
})
const nearService = service(near, {
  uses: { far },
  repositories: {},
  operations: { pass: (said, { uses }) => uses.far.tell(said) },
})
/** What a foreign service takes the place of. */
const builtIn = service(far, {
  repositories: {},
  operations: {
    tell: async () => ({ said: 'built in' }),
    books: async () => ({ said: 'built in' }),
    open: async () => ({ said: 'built in' }),
  },
})

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

let address = ''
const seen: string[] = []
beforeEach(async () => {
  seen.length = 0
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    response.setHeader('content-type', 'application/json').end('{"said":"far away"}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  ends.push(() => (server.closeAllConnections(), server.close()))
})

const setupOf = (more: Partial<Setup> = {}): Setup =>
  testSetup({
    system: { name: 'map', title: 'A map', version: '1', services: [nearService, builtIn] },
    foreign: [foreignService(far, { address })],
    ...more,
  })
const start = async (setup: Setup, share?: Share): Promise<RunningHost> => {
  const log = logger({ env, level: 'error', write: () => undefined })
  const host = await startHost({ setup, env, log, ...(share && { share }) })
  ends.push(() => host.drain())
  return host
}

const edgeOf = ({ edge }: RunningHost) => {
  if (edge === undefined) throw new Error('this host has no edge')
  const key = { 'x-serval-operator': edge.operatorKey }
  const ask = async (port: number, path: string, init: RequestInit = {}) => {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`, init)
    return { status: reply.status, body: await reply.text() }
  }
  return {
    outside: (path: string, init?: RequestInit) => ask(edge.public.port, path, init),
    inside: (path: string) => ask(edge.operator.port, path, { headers: key }),
  }
}
const asJson = (value: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
})

const check = async (host: RunningHost) => {
  const { outside, inside } = edgeOf(host)
  const far200 = { status: 200, body: '{"said":"far away"}' }
  expect(await outside('/pass', asJson({ said: 'hello' }))).toEqual(far200)
  expect(await outside('/open')).toEqual(far200)
  expect(await inside('/books')).toEqual(far200)
  expect(seen).toEqual(['POST /told', 'GET /open', 'GET /books'])
  // The binding of an internal operation is for the foreign service alone.
  expect((await outside('/told', asJson({ said: 'hello' }))).status).toBe(404)
  for (const ask of [outside, inside]) expect((await ask('/openapi.json')).body).not.toContain('/told') // prettier-ignore
  // A foreign service has no messages and no log that an operator could see to.
  for (const path of ['/operator/v1/parked', '/operator/v1/readers'])
    expect(await inside(path)).toEqual({ status: 200, body: '{"items":[]}' })
  expect(seen).toHaveLength(3)
}

test('in one process, the foreign service is called, and the one that it stands for is not run', async () => {
  const host = await start(setupOf())
  expect([...host.services.stores.keys()]).toEqual(['near'])
  await check(host)
})

test('a contract that no service of the system has may be foreign too', async () => {
  const { system } = setupOf()
  await check(await start(setupOf({ system: { ...system, services: [nearService] } })))
})

test('an internal operation of a service that runs here is at no address either', async () => {
  const { outside, inside } = edgeOf(await start(setupOf({ foreign: [] })))
  expect((await outside('/told', asJson({ said: 'hello' }))).status).toBe(404)
  for (const ask of [outside, inside]) expect((await ask('/openapi.json')).body).not.toContain('/told') // prettier-ignore
  expect((await outside('/pass', asJson({ said: 'hello' }))).body).toBe('{"said":"built in"}')
})

const inMemory = (): Directory => {
  const peers = new Map<string, Peer>()
  const watchers = new Set<(peers: readonly Peer[]) => void>()
  return {
    watch: (told) => {
      watchers.add(told)
      told([...peers.values()])
      return () => void watchers.delete(told)
    },
    announce: async (self) => {
      if (self !== undefined) peers.set(self.id, self)
      for (const tell of watchers) tell([...peers.values()])
    },
  }
}
const fleetOf = (directory: Directory | undefined): FleetSetup => ({
  roles: {
    edge: { services: ['far'], edge: true },
    all: { services: 'all', edge: false, replicas: 2 },
    both: { services: ['near', 'far'], edge: false },
    far: { services: ['far'], edge: false },
  },
  link: { host: '127.0.0.1', port: 0 },
  directory,
  transport: wireTransport(),
  identities: joseIdentities,
})

test('a fleet is complete without it, and each host calls it itself', async () => {
  const directory = inMemory()
  const fleet = () => setupOf({ fleet: fleetOf(directory) })
  const [edge] = await Promise.all([
    start(fleet(), { services: [], edge: true }),
    start(fleet(), { services: ['near'], edge: false }),
  ])
  await check(edge)
})

test('a host that is to run it says why it does not', async () => {
  await expect(start(setupOf(), { services: ['far'], edge: false })).rejects.toMatchObject({
    code: 'misconfigured',
    message: 'far is a foreign service in this setup: it is called at its address, and no host runs it', // prettier-ignore
  })
  await expect(start(setupOf(), { services: ['nowhere'], edge: false })).rejects.toThrow('there is no service nowhere; map has near') // prettier-ignore
})

test('the roles of a fleet are without it, and one that would run nothing else is none', () => {
  const setup = setupOf({ fleet: fleetOf(undefined) })
  expect(rolesOf(setup)).toEqual({
    edge: { services: [], edge: true },
    all: { services: 'all', edge: false, replicas: 2 },
    both: { services: ['near'], edge: false },
  })
  expect(rolesOf({ ...setup, foreign: [] })).toBe(setup.fleet?.roles)
  expect(rolesOf(setupOf())).toBeUndefined()
})

test('two foreign services of one contract fail at start', () => {
  const [one] = setupOf().foreign ?? []
  if (one === undefined) throw new Error('the setup has one')
  expect(() => partsOf(setupOf({ foreign: [one, one] }))).toThrow('the setup has two foreign services far') // prettier-ignore
})

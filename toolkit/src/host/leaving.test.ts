import { afterEach, expect, test } from 'vitest'
import { systemEnv } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { contract } from '../contract/index.ts'
import { joseIdentities } from '../engines/jose/index.ts'
import { memoryCache } from '../engines/memory-cache/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { wireTransport } from '../engines/sockets/index.ts'
import { notes, notesService } from '../events/notes.suite.ts'
import { service } from '../service/index.ts'
import type { Directory } from '../link/directory.ts'
import type { StoreEngine } from '../store/engine.ts'
import { logger } from '../telemetry/log.ts'
import { eventually, manualEnv } from '../testing/index.ts'
import { startHost } from './host.ts'
import { startServices } from './services.ts'
import { testSetup } from './test-setup.suite.ts'

/* One host of a fleet: how it starts on stores that others keep busy, and how it leaves. */

const reader = service(contract('reader', { operations: {} }), {
  operations: {},
  subscriptions: (on) => [on(notes.events.written, async () => undefined)],
})

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Each way to ask a service's store says once that it is away. */
const busyAtFirst = (): { readonly stores: StoreEngine; readonly refused: string[] } => {
  const engine = memoryStores()
  const refused: string[] = []
  const once = async <T>(what: string, ask: () => Promise<T>): Promise<T> => {
    if (refused.includes(what)) return ask()
    refused.push(what)
    throw failure('store-unavailable')
  }
  const stores: StoreEngine = {
    ...engine,
    open: async (name, ...given) => {
      const store = await once('open', () => engine.open(name, ...given))
      const { jobs, replies, hosts } = store
      return {
        ...store,
        jobs: { ...jobs, ensure: (...job) => once('jobs', () => jobs.ensure(...job)) },
        replies: { ...replies, recall: (id) => once('secret', () => replies.recall(id)) },
        hosts: { ...hosts, beat: (...host) => once('beat', () => hosts.beat(...host)) },
      }
    },
  }
  return { stores, refused }
}

const alone: Directory = { watch: () => () => undefined, announce: async () => undefined }

const start = async (stores: StoreEngine, directory: Directory) => {
  const env = systemEnv()
  const lines: string[] = []
  const setup = testSetup({
    system: { name: 'pad', title: 'A pad', version: '1', services: [notesService] },
    stores,
    fleet: {
      roles: {},
      link: { host: '127.0.0.1', port: 0 },
      directory,
      transport: wireTransport(),
      identities: joseIdentities,
    },
  })
  const log = logger({ env, level: 'warn', write: (line) => lines.push(line) })
  const share = { services: ['notes'], edge: false }
  return { host: await startHost({ setup, env, log, share }), lines }
}

test('a host of a fleet starts on stores that are busy, and says once what it waits for', async () => {
  const { stores, refused } = busyAtFirst()
  const { host, lines } = await start(stores, alone)
  ends.push(() => host.drain())
  expect(refused).toEqual(['open', 'jobs', 'secret', 'beat'])
  expect(lines).toEqual([expect.stringContaining('"waiting for the stores","stores":"memory"')])
})

test('a start of which one service fails waits for no other', async () => {
  const env = manualEnv()
  const engine = memoryStores()
  const starting = startServices({
    stores: {
      ...engine,
      open: async (name) => {
        if (name === 'notes') throw failure('store-unavailable')
        await env.sleep(5_000)
        throw failure('cannot-start', 'the reader refuses')
      },
    },
    env,
    log: logger({ env, write: () => undefined }),
    ports: {},
    cache: memoryCache({}),
    secret: () => Promise.resolve(new Uint8Array(32)),
    services: [notesService, reader],
    elsewhere: { call: () => Promise.reject(failure('unavailable')) },
  }).catch((error: unknown) => error)
  await env.advance(5_000)
  expect(await starting).toMatchObject({ code: 'cannot-start', message: 'the reader refuses' })
  await env.advance(0)
  expect(env.waiting).toBe(0)
})

test('a host that drains lets go of its share before others have heard that it leaves', async () => {
  const engine = memoryStores()
  let left = false
  const stores: StoreEngine = {
    ...engine,
    open: async (...given) => {
      const store = await engine.open(...given)
      const leave: typeof store.hosts.leave = async (host) => {
        left = true
        return store.hosts.leave(host)
      }
      return { ...store, hosts: { ...store.hosts, leave } }
    },
  }
  let heard: () => void = () => undefined
  const hearing = new Promise<void>((resolve) => (heard = resolve))
  const { host } = await start(stores, {
    ...alone,
    announce: (self) => (self === undefined ? hearing : Promise.resolve()),
  })
  const drained = host.drain()
  await eventually(() => left, 'the end of its share')
  heard()
  await drained
})

test('of logs that cannot be read a host tells while it works, and not when it rests', async () => {
  const env = manualEnv()
  const lines: string[] = []
  const common = {
    stores: memoryStores(),
    env,
    ports: {},
    cache: memoryCache({}),
    secret: () => Promise.resolve(new Uint8Array(32)),
  }
  const silent = logger({ env, write: () => undefined })
  const publisher = await startServices({ ...common, log: silent, services: [notesService] })
  ends.push(publisher.stop)
  let away = false
  const host = await startServices({
    ...common,
    log: logger({ env, level: 'warn', write: (line) => lines.push(line) }),
    services: [reader],
    elsewhere: {
      call: (call) =>
        away ? Promise.reject(failure('unavailable', 'nobody')) : publisher.link.call(call),
    },
  })
  ends.push(host.stop)
  const heard: string[] = []
  await host.follow('notes', { event: ({ key }) => void heard.push(key), gap: () => undefined })
  const messages = () => new Set(lines.map((line) => (JSON.parse(line) as { message: string }).message)) // prettier-ignore
  const pass = async () => {
    for (let turn = 0; turn < 30; turn++) await env.advance(100)
  }
  away = true
  await pass()
  expect(messages()).toEqual(new Set(['a log cannot be followed', 'the log could not be read']))
  await host.rest()
  lines.length = 0
  await pass()
  expect(lines).toEqual([])
  away = false
  await publisher.client(notes, { kind: 'service', name: 'test' }).write({ key: 'a', n: 1 })
  await pass()
  expect(heard).toEqual(['a'])
})

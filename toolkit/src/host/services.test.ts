import { expect, test } from 'vitest'
import { z } from 'zod'
import { systemEnv } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { command, contract, event, query } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { port, service } from '../service/index.ts'
import type { StoreEngine } from '../store/engine.ts'
import { eventually, manualEnv, startTestServices } from '../testing/index.ts'

const nothing = z.object({})
const ask = (summary: string) =>
  query({ summary, access: 'public', input: nothing, output: nothing })
const away = contract('away', {
  operations: { broken: ask('Is never there'), fine: ask('Answers') },
})
const other = contract('other', { operations: { fine: ask('Answers') } })

test('an operation that fails again and again is not called for a while; no other suffers', async () => {
  let calls = 0
  const awayService = service(away, {
    operations: {
      broken: async () => {
        calls += 1
        throw failure('unavailable', 'not there')
      },
      fine: async () => ({}),
    },
  })
  const otherService = service(other, { operations: { fine: async () => ({}) } })
  const real = systemEnv()
  // What is written down after ten seconds is written at once.
  const env = { ...real, after: (ms: number, run: () => void) => real.after(ms % 10_000, run) }
  const system = await startTestServices({
    services: [awayService, otherService],
    stores: memoryStores(),
    env,
  })
  const client = system.client(away, { kind: 'anonymous' })
  const codes = new Set<unknown>()
  for (let n = 0; n < 60; n++)
    codes.add(await client.broken({}).catch((error: { code: unknown }) => error.code))
  expect(codes).toEqual(new Set(['unavailable', 'breaker-open']))
  expect(calls).toBeLessThan(60)
  expect(await client.fine({})).toEqual({})
  expect(await system.client(other, { kind: 'anonymous' }).fine({})).toEqual({})
  await system.end()
  const written = system.lines.find((line) => line.includes('calls were made again'))
  expect(written).toContain('"most":"away.broken"')
})

test('a service whose port the setup lacks does not start, and says which', async () => {
  const needy = contract('needy', { operations: {} })
  const needyService = service(needy, { operations: {}, ports: { mail: port<object>() } })
  const started = startTestServices({ services: [needyService], stores: memoryStores() })
  const failed = await started.catch((error: unknown) => error)
  expect(failed).toMatchObject({ code: 'cannot-start' })
  expect(String(failed)).toContain('the service needy needs the port mail')
})

test('who subscribes is woken by the step that publishes: no time passes', async () => {
  const sender = contract('sender', {
    operations: {
      send: command({
        summary: 'Publishes',
        access: 'public',
        repeat: 'natural',
        input: z.object({ id: z.string() }),
        output: nothing,
      }),
    },
    events: { sent: event('sent', { version: 1, key: 'id', data: z.object({ id: z.string() }) }) },
  })
  const senderService = service(sender, {
    operations: {
      send: (input, { step }) =>
        step(async (s) => {
          s.emit(sender.events.sent, input)
          return {}
        }),
    },
  })
  const heard: string[] = []
  const receiverService = service(contract('receiver', { operations: {} }), {
    operations: {},
    subscriptions: (on) => [on(sender.events.sent, async ({ data }) => void heard.push(data.id))],
  })
  const system = await startTestServices({
    services: [senderService, receiverService],
    stores: memoryStores(),
    env: manualEnv(),
    placement: 'together',
  })
  const client = system.client(sender, { kind: 'anonymous' })
  for (const id of ['a', 'b', 'c']) {
    await client.send({ id })
    await eventually(() => heard.includes(id), `the event ${id}`)
  }
  await system.end()
})

test('a subscription to a service that does not run keeps the host from starting, and leaves nothing running', async () => {
  const publisher = contract('publisher', {
    operations: {
      publish: command({
        summary: 'Publishes',
        access: 'internal',
        repeat: 'natural',
        input: nothing,
        output: nothing,
      }),
    },
    events: { said: event('said', { version: 1, key: 'id', data: z.object({ id: z.string() }) }) },
  })
  const lonely = contract('lonely', { operations: {} })
  const lonelyService = service(lonely, {
    operations: {},
    subscriptions: (on) => [on(publisher.events.said, async () => undefined)],
  })
  const started = startTestServices({ services: [lonelyService], stores: memoryStores() })
  const failed = await started.catch((error: unknown) => error)
  expect(failed).toMatchObject({ code: 'unavailable' })
  expect(String(failed)).toContain('publisher')
})

test('a store that hangs takes this host from the hosts of its own service alone', async () => {
  const engine = memoryStores()
  let hangs = false
  let beats = 0
  const stores: StoreEngine = {
    ...engine,
    open: async (name, ...given) => {
      const store = await engine.open(name, ...given)
      const beat: typeof store.hosts.beat = async (...host) => {
        if (name === 'away' && hangs) await new Promise(() => undefined)
        if (name === 'other') beats += 1
        return store.hosts.beat(...host)
      }
      return { ...store, hosts: { ...store.hosts, beat } }
    },
  }
  const env = manualEnv()
  await startTestServices({
    services: [
      service(away, { operations: { broken: async () => ({}), fine: async () => ({}) } }),
      service(other, { operations: { fine: async () => ({}) } }),
    ],
    stores,
    env,
  })
  hangs = true
  const before = beats
  for (let turn = 0; turn < 50; turn++) await env.advance(100)
  expect(beats - before).toBeGreaterThan(3)
})

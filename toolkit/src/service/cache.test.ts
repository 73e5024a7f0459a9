import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract, event, query } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { eventually, startTestServices, type TestServices } from '../testing/index.ts'
import { service } from './index.ts'

/* What a service caches is dropped by its own events: at once on the host of the change, soon on the others. */

const names = contract('names', {
  operations: {
    name: query({
      summary: 'Reads a name',
      access: 'public',
      input: z.object({ id: z.string() }),
      output: z.object({ name: z.string() }),
    }),
    rename: command({
      summary: 'Changes it',
      access: 'public',
      repeat: 'natural',
      input: z.object({ id: z.string(), name: z.string() }),
      output: z.object({}),
    }),
  },
  events: {
    renamed: event('name.changed', {
      version: 1,
      key: 'id',
      data: z.object({ id: z.string() }),
      purges: ['name::id'],
    }),
  },
})

let stored = 'first'
let fills = 0
const namesService = service(names, {
  operations: {
    name: async ({ id }, { cache }) => {
      const { value } = await cache.read(id, { ttl: '1h', tags: [`name:${id}`] }, async () => {
        fills += 1
        return stored
      })
      return { name: value }
    },
    rename: ({ id, name }, { step }) =>
      step(async (s) => {
        stored = name
        s.emit(names.events.renamed, { id })
        return {}
      }),
  },
})

const stores = memoryStores()
const hosts: TestServices[] = []
beforeAll(async () => {
  for (let at = 0; at < 2; at++)
    hosts.push(await startTestServices({ services: [namesService], stores }))
})
afterAll(async () => {
  for (const host of hosts) await host.end()
})
const clientOf = (at: number) => {
  const host = hosts[at]
  if (host === undefined) throw new Error('no host')
  return host.client(names, { kind: 'anonymous' })
}

test('a change shows in the next read of its host, and soon on another', async () => {
  for (const at of [0, 1]) expect(await clientOf(at).name({ id: 'a' })).toEqual({ name: 'first' })
  const before = fills
  await clientOf(0).name({ id: 'a' })
  await clientOf(1).name({ id: 'a' })
  expect(fills).toBe(before)
  await clientOf(0).rename({ id: 'a', name: 'second' })
  expect(await clientOf(0).name({ id: 'a' })).toEqual({ name: 'second' })
  await eventually(
    async () => (await clientOf(1).name({ id: 'a' })).name === 'second',
    'the other host to drop its copy',
  )
})

test('what the event does not name stays', async () => {
  await clientOf(0).name({ id: 'b' })
  const before = fills
  await clientOf(0).rename({ id: 'c', name: 'third' })
  expect(await clientOf(0).name({ id: 'b' })).toEqual({ name: 'second' })
  expect(fills).toBe(before)
})

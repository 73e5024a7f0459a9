import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract, event, post, problem, query } from '../contract/index.ts'
import { sqlRepository } from '../engines/sql/repository.ts'
import { repository } from '../store/repository.ts'
import { eventually, startTestServices } from '../testing/index.ts'
import { service } from './index.ts'

const NotEnough = problem('not-enough', { kind: 'conflict', title: 'Not enough' })
const counter = contract('counter', {
  operations: {
    add: command({
      summary: 'Adds', access: 'public', repeat: 'key', http: post('/counters/:id', { status: 201, location: '/counters/:id' }),
      input: z.object({ id: z.string(), by: z.int() }), output: z.object({ id: z.string(), value: z.int() }), problems: [NotEnough],
    }),
    value: query({ summary: 'Reads', access: 'public', input: z.object({ id: z.string() }), output: z.object({ value: z.int() }) }),
  },
  events: { changed: event('counter.changed', { version: 1, key: 'id', data: z.object({ id: z.string(), value: z.int() }) }) },
})
interface Counters {
  add(id: string, by: number): Promise<number>
  value(id: string): Promise<number>
}
const counters = repository<Counters>({
  scope: 'aggregate',
  engines: {
    sql: () => Promise.resolve(sqlRepository<Counters>({
      migrations: [{ id: 'counter-001', sql: 'create table counter (id text primary key, value bigint not null check (value >= 0));' }],
      open: (session) => ({
        add: async (id, by) => {
          session.touch(id)
          session.write('insert into counter (id, value) values ($1, 0) on conflict do nothing', [id])
          session.write('update counter set value = value + $2 where id = $1 and value + $2 >= 0', [id, by], { rows: 1, otherwise: NotEnough(undefined) })
          const [row] = await session.query<{ value: number }>('select value from counter where id = $1', [id])
          return row!.value
        },
        value: async (id) => (await session.query<{ value: number }>('select value from counter where id = $1', [id]))[0]?.value ?? 0,
      }),
    })),
  },
})
const counterService = service(counter, {
  repositories: { counters },
  operations: {
    add: (input, { step }) => step(async (s) => {
      const value = await s.counters.add(input.id, input.by)
      s.emit(counter.events.changed, { id: input.id, value })
      return { id: input.id, value }
    }),
    value: async (input, { read }) => ({ value: await read((r) => r.counters.value(input.id)) }),
  },
})
const mirror = contract('mirror', { operations: { last: query({ summary: 'Last', access: 'public', input: z.object({ id: z.string() }), output: z.object({ value: z.int() }) }) } })
const mirrorService = service(mirror, {
  repositories: { counters },
  operations: { last: async (input, { read }) => ({ value: await read((r) => r.counters.value(input.id)) }) },
  subscriptions: (on) => [
    on(counter.events.changed, (message, { step }) => step((s) => s.counters.add(message.data.id, message.data.value))),
  ],
})

test('a step commits its rows, its event and its reply; the event reaches its subscriber once', async () => {
  const system = await startTestServices({ services: [counterService, mirrorService] })
  const client = system.client(counter, { kind: 'anonymous' })
  expect(await client.add({ id: 'a', by: 5 }, { key: 'k1' })).toEqual({ id: 'a', value: 5 })
  expect(await client.add({ id: 'a', by: 5 }, { key: 'k1' })).toEqual({ id: 'a', value: 5 })
  await expect(client.add({ id: 'a', by: 6 }, { key: 'k1' })).rejects.toMatchObject({ code: 'idempotency-key-reused' })
  await expect(client.add({ id: 'a', by: -6 }, { key: 'k2' })).rejects.toMatchObject({ code: 'not-enough' })
  expect(await client.value({ id: 'a' })).toEqual({ value: 5 })
  const seen = system.client(mirror, { kind: 'anonymous' })
  await eventually(async () => (await seen.last({ id: 'a' })).value === 5, 'the event').catch((e) => { console.log(system.lines.join('\n')); throw e })
  await system.end()
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract, event, post, problem, query } from '../contract/index.ts'
import { memoryRepository, memoryStores } from '../engines/memory/index.ts'
import { pglite } from '../engines/pglite/index.ts'
import { sqlRepository, sqlStores } from '../engines/sql/index.ts'
import { repository } from '../store/repository.ts'
import { eventually, startTestServices, type TestServices } from '../testing/index.ts'
import { service } from './index.ts'

/* The example of a service: what it promises, what it keeps, on which engines, and what it does. */

const NotEnough = problem('not-enough', { kind: 'conflict', title: 'Not enough' })
const Changed = z.object({ id: z.string(), value: z.int() })

const counter = contract('counter', {
  operations: {
    add: command({
      summary: 'Adds',
      access: 'public',
      repeat: 'key',
      http: post('/counters/:id', { status: 201, location: '/counters/:id' }),
      input: z.object({ id: z.string(), by: z.int() }),
      output: Changed,
      problems: [NotEnough],
    }),
    value: query({
      summary: 'Reads',
      access: 'public',
      input: z.object({ id: z.string() }),
      output: z.object({ value: z.int() }),
    }),
  },
  events: { changed: event('counter.changed', { version: 1, key: 'id', data: Changed }) },
})

interface Counters {
  add(id: string, by: number): Promise<number>
  value(id: string): Promise<number>
}

const sqlCounters = sqlRepository<Counters>({
  migrations: [
    {
      id: 'counter-001',
      sql: 'create table counter (id text primary key, value bigint not null check (value >= 0));',
    },
  ],
  open: (session) => {
    const value = async (id: string) => {
      const select = 'select value from counter where id = $1'
      return (await session.query<{ value: number }>(select, [id]))[0]?.value ?? 0
    }
    const create = 'insert into counter (id, value) values ($1, 0) on conflict do nothing'
    const update = 'update counter set value = value + $2 where id = $1 and value + $2 >= 0'
    return {
      value,
      add: async (id, by) => {
        session.touch(id)
        session.write(create, [id])
        session.write(update, [id, by], { rows: 1, otherwise: NotEnough(undefined) })
        return value(id)
      },
    }
  },
})

const memoryCounters = memoryRepository<Counters>({
  open: (session) => {
    const counters = session.table<{ value: number }>('counter')
    const value = async (id: string) => counters.get(id)?.value ?? 0
    return {
      value,
      add: async (id, by) => {
        session.touch(id)
        const sum = (await value(id)) + by
        session.expect(sum >= 0, NotEnough(undefined))
        counters.put(id, { value: sum })
        return sum
      },
    }
  },
})

const counters = repository<Counters>({
  scope: 'aggregate',
  engines: {
    sql: () => Promise.resolve(sqlCounters),
    memory: () => Promise.resolve(memoryCounters),
  },
})

const counterService = service(counter, {
  repositories: { counters },
  operations: {
    add: ({ id, by }, { step }) =>
      step(async (s) => {
        const value = await s.counters.add(id, by)
        s.emit(counter.events.changed, { id, value })
        return { id, value }
      }),
    value: async ({ id }, { read }) => ({ value: await read((r) => r.counters.value(id)) }),
  },
})

const mirror = contract('mirror', {
  operations: {
    last: query({
      summary: 'Last',
      access: 'public',
      input: z.object({ id: z.string() }),
      output: z.object({ value: z.int() }),
    }),
  },
})

const mirrorService = service(mirror, {
  repositories: { counters },
  operations: {
    last: async ({ id }, { read }) => ({ value: await read((r) => r.counters.value(id)) }),
  },
  subscriptions: (on) => [
    on(counter.events.changed, ({ data }, { step }) =>
      step((s) => s.counters.add(data.id, data.value)),
    ),
  ],
})

describe.each([
  { engine: 'memory', open: memoryStores },
  { engine: 'pglite', open: () => sqlStores(pglite()) },
])('a service on $engine', ({ open }) => {
  let system: TestServices
  beforeAll(async () => {
    system = await startTestServices({ services: [counterService, mirrorService], stores: open() })
  })
  afterAll(() => system.end())
  const client = () => system.client(counter, { kind: 'anonymous' })

  test('a step commits its rows and its reply, and the reply is repeated', async () => {
    expect(await client().add({ id: 'a', by: 5 }, { key: 'k1' })).toEqual({ id: 'a', value: 5 })
    expect(await client().add({ id: 'a', by: 5 }, { key: 'k1' })).toEqual({ id: 'a', value: 5 })
    expect(await client().value({ id: 'a' })).toEqual({ value: 5 })
  })

  test('a key is for one input only', async () => {
    const reused = client().add({ id: 'a', by: 6 }, { key: 'k1' })
    await expect(reused).rejects.toMatchObject({ code: 'idempotency-key-reused' })
  })

  test('a step whose guard fails changes nothing', async () => {
    const tooMuch = client().add({ id: 'a', by: -6 }, { key: 'k2' })
    await expect(tooMuch).rejects.toMatchObject({ code: 'not-enough' })
    expect(await client().value({ id: 'a' })).toEqual({ value: 5 })
  })

  test('its event reaches its subscriber once, in the order of its key', async () => {
    await client().add({ id: 'a', by: 1 }, { key: 'k3' })
    const seen = system.client(mirror, { kind: 'anonymous' })
    await eventually(async () => (await seen.last({ id: 'a' })).value === 5 + 6, 'both events')
  })
})

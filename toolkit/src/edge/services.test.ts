import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract, get, post, problem, query } from '../contract/index.ts'
import { sqlRepository } from '../engines/sql/repository.ts'
import type { HttpReply } from '../link/http.ts'
import { service } from '../service/index.ts'
import { repository } from '../store/repository.ts'
import { startTestServices, type TestServices } from '../testing/index.ts'
import { logger } from '../telemetry/log.ts'
import { edge } from './index.ts'
import { request } from './sample.suite.ts'

const Closed = problem('closed', { kind: 'conflict', title: 'The list is closed' })
const Item = z.object({ id: z.string().max(20), note: z.string().default('') })
const lists = contract('lists', {
  operations: {
    add: command({
      summary: 'Adds',
      access: 'public',
      repeat: 'key',
      http: post('/items', { status: 201, location: '/items/:id' }),
      input: Item,
      output: Item.extend({ nth: z.int() }),
      problems: [Closed],
    }),
    count: query({
      summary: 'Counts',
      access: 'public',
      http: get('/count'),
      input: z.object({}),
      output: z.object({ items: z.int() }),
    }),
    odd: query({
      summary: 'Fails',
      access: 'public',
      http: get('/odd'),
      input: z.object({}),
      output: z.object({ items: z.int() }),
    }),
  },
})
interface Items {
  add(id: string): Promise<number>
  count(): Promise<number>
}
const items = repository<Items>({
  scope: 'service',
  engines: {
    sql: () =>
      Promise.resolve(
        sqlRepository<Items>({
          migrations: [
            {
              id: 'lists-001',
              sql: 'create table item (nth bigint generated always as identity, id text not null);',
            },
          ],
          open: (session) => ({
            add: async (id) => {
              session.write('insert into item (id) values ($1)', [id])
              return (
                (await session.query<{ n: number }>('select count(*) as n from item', []))[0]?.n ??
                0
              )
            },
            count: async () =>
              (await session.query<{ n: number }>('select count(*) as n from item', []))[0]?.n ?? 0,
          }),
        }),
      ),
  },
})
const listsService = service(lists, {
  repositories: { items },
  operations: {
    add: (input, { step }) =>
      step(async (s) => {
        if (input.id === 'closed') throw Closed(undefined)
        return { ...input, nth: await s.items.add(input.id) }
      }),
    count: async (_, { read }) => ({ items: await read((r) => r.items.count()) }),
    odd: () => Promise.resolve({ items: 0.5 }),
  },
})

let system: TestServices
let handle: (asked: ReturnType<typeof request>) => Promise<HttpReply>
beforeAll(async () => {
  system = await startTestServices({ services: [listsService] })
  handle = edge({
    env: system.env,
    log: logger({ env: system.env, write: () => undefined }),
    contracts: [lists],
    link: system.link,
    serves: () => true,
    identify: () => Promise.resolve(undefined),
  })
})
afterAll(() => system.end())

const add = async (key: string | undefined, body: string) => {
  const reply = await handle(
    request({
      method: 'POST',
      target: '/items',
      body,
      headers: key === undefined ? {} : { 'idempotency-key': key },
    }),
  )
  const { 'x-request-id': _, ...headers } = reply.headers
  const bytes =
    typeof reply.body === 'string'
      ? new TextEncoder().encode(reply.body)
      : (reply.body as Uint8Array)
  return {
    status: reply.status,
    headers,
    bytes: [...bytes],
    json: JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>,
  }
}
const count = async () =>
  JSON.parse((await handle(request({ target: '/count' }))).body as string) as { items: number }

test('the same key and body give the same reply, byte for byte, and one effect', async () => {
  const before = await count()
  const first = await add('k1', '{"id":"a/b","note":"ü\\u2028"}')
  expect(first).toMatchObject({
    status: 201,
    headers: { location: '/items/a%2Fb', 'content-type': 'application/json' },
  })
  expect(await add('k1', '{"id":"a/b","note":"ü\\u2028"}')).toEqual(first)
  expect(await add('k1', ' { "note": "\\u00fc\u2028", "id": "a\\/b" } ')).toEqual(first)
  expect(await count()).toEqual({ items: before.items + 1 })
})

test('the same key at the same time has one effect, and every caller the same bytes or 409', async () => {
  const before = await count()
  const replies = await Promise.all(Array.from({ length: 5 }, () => add('k2', '{"id":"b"}')))
  const good = replies.filter((reply) => reply.status === 201)
  expect(good.length).toBeGreaterThan(0)
  for (const reply of good) expect(reply).toEqual(good[0])
  for (const reply of replies) expect([201, 409]).toContain(reply.status)
  expect(await count()).toEqual({ items: before.items + 1 })
})

test('the same key with another body is 422; no key is 400; a problem is not remembered', async () => {
  await add('k3', '{"id":"c"}')
  expect(await add('k3', '{"id":"d"}')).toMatchObject({
    status: 422,
    json: { code: 'idempotency-key-reused' },
  })
  expect(await add(undefined, '{"id":"c"}')).toMatchObject({
    status: 400,
    json: { code: 'idempotency-key-missing' },
  })
  expect(await add('k4', '{"id":"closed"}')).toMatchObject({
    status: 409,
    json: { code: 'closed' },
  })
  expect((await add('k4', '{"id":"open"}')).status).toBe(201)
})

test('input that is not valid names its fields, and is refused before its key is looked up', async () => {
  const reply = await add('k1', '{"id":1,"note":"x"}')
  expect(reply).toMatchObject({
    status: 400,
    json: { code: 'invalid-input', errors: [{ pointer: '/id' }] },
  })
  expect(await add('k5', '{"id":"e","nth":1}')).toMatchObject({
    status: 400,
    json: { errors: [{ pointer: '/nth' }] },
  })
})

test('a handler that breaks its contract is 500, without a word of it', async () => {
  const reply = await handle(request({ target: '/odd' }))
  expect(reply.status).toBe(500)
  expect(reply.body).not.toMatch(/items|0\.5|lists/)
})

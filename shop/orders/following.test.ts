import { systemEnv } from 'serval'
import { edge } from 'serval/edge'
import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { postgres } from 'serval/engines/postgres'
import { startPostgres, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  finalOrder,
  newCustomer,
  startShop,
  stockOf,
  userOf,
  type World,
} from '../guarantees/shop-in-test.suite.ts'
import { orders } from './contract.ts'

/* A customer follows an order. */

type Customer = ReturnType<typeof userOf>
const statusesOf = (changes: readonly { readonly status: string }[]) =>
  changes.map(({ status }) => status)
const confirmedWay = ['placed', 'reserved', 'paid', 'confirmed']

const place = (host: TestServices, customer: Customer, key: string, token = 'tok_ok') =>
  host
    .client(orders, customer)
    .place({ lines: [{ sku: 'TEA', quantity: 1 }], payment: { token } }, { key })
const follow = (host: TestServices, customer: Customer, id: string, after?: string) =>
  host
    .client(orders, customer)
    .follow({ id, ...(after === undefined ? {} : { after }) })
    [Symbol.asyncIterator]()
const rest = async <T>(items: AsyncIterator<T>): Promise<T[]> => {
  const all: T[] = []
  for (let item = await items.next(); item.done !== true; item = await items.next())
    all.push(item.value)
  return all
}

describe('an order is followed', () => {
  let world: World
  let system: TestServices
  let customer: Customer
  beforeAll(async () => {
    world = { server: pglite({}), mail: mailbox({}) }
    system = await startShop(world)
    customer = await newCustomer(system, 'follower')
    await stockOf(system, [{ sku: 'TEA', onHand: 1_000 }])
  }, 60_000)
  afterAll(() => system.end())

  test('from its placing to its end, where the feed ends too', async () => {
    const { id, placedAt } = await place(system, customer, 'way')
    const changes = await rest(follow(system, customer, id))
    expect(statusesOf(changes)).toEqual(confirmedWay)
    expect(changes[0]?.at).toBe(placedAt)
    expect(changes.map((change) => change.at)).toEqual(
      changes.map((change) => change.at).toSorted(),
    )
  })

  test('by many at once, each of whom is told every change in order', async () => {
    const placed = await Promise.all(
      Array.from({ length: 20 }, (_, n) => place(system, customer, `many-${n}`)),
    )
    const told = await Promise.all(
      placed.flatMap(({ id }) => [
        rest(follow(system, customer, id)),
        rest(follow(system, customer, id)),
      ]),
    )
    for (const changes of told) expect(statusesOf(changes)).toEqual(confirmedWay)
  })

  test('as things happen, when they take their time', async () => {
    const { id } = await place(system, customer, 'hangs', 'tok_hang')
    const changes = follow(system, customer, id)
    expect((await changes.next()).value).toMatchObject({ status: 'placed' })
    expect((await changes.next()).value).toMatchObject({ status: 'reserved' })
    const next = changes.next()
    await system.client(orders, customer).cancel({ id })
    expect((await next).value).toMatchObject({
      status: 'cancelling',
      reason: 'cancelled-by-customer',
    })
    await changes.return?.()
  })

  test('to a cancelled end, with its reason', async () => {
    const { id } = await place(system, customer, 'declined', 'tok_declined')
    const changes = await rest(follow(system, customer, id))
    expect(statusesOf(changes)).toEqual(['placed', 'reserved', 'cancelling', 'cancelled'])
    expect(changes.at(-1)).toMatchObject({ reason: 'payment-declined' })
  })

  test('on from the last change that a client saw before it was away', async () => {
    const { id } = await place(system, customer, 'away')
    await finalOrder(system, customer, id)
    const all = await rest(follow(system, customer, id))
    for (const [index, change] of all.entries())
      expect(await rest(follow(system, customer, id, String(change.id)))).toEqual(
        all.slice(index + 1),
      )
  })

  test('by its customer alone, and from a change that there was', async () => {
    const { id } = await place(system, customer, 'mine')
    await finalOrder(system, customer, id)
    const failed = (items: AsyncIterator<unknown>) => items.next().catch((error: unknown) => error)
    const stranger = userOf('stranger')
    expect(await failed(follow(system, stranger, id))).toMatchObject({ code: 'no-such-order' })
    expect(await failed(follow(system, customer, 'none'))).toMatchObject({ code: 'no-such-order' })
    for (const after of ['-1', '1.5', 'x', '', '99', '99999999999999999999'])
      expect(await failed(follow(system, customer, id, after))).toMatchObject({
        code: 'invalid-input',
        data: { errors: [{ pointer: '/after' }] },
      })
  })

  test('also when a release without histories has placed it', async () => {
    const at = '2026-01-02T03:04:05.000Z'
    const database = await world.server.open('orders')
    await database.transaction(async (session) =>
      session.write(
        `insert into orders (id, customer_id, status, reason, refunded, reserved_at, lines, amount, currency, placed_at, ship_to, sealed_token, version)
         values ('old', $1, 'confirmed', null, null, null, '[]', 0, 'GBP', $2::timestamptz, null, null, 4)`,
        [customer.id, at],
      ),
    )
    expect(await rest(follow(system, customer, 'old'))).toEqual([
      { id: 1, status: 'placed', at },
      { id: 2, status: 'reserved', at },
      { id: 3, status: 'paid', at },
      { id: 4, status: 'confirmed', at },
    ])
  })

  test('also when its event is of a release whose events did not carry the lines', async () => {
    const database = await world.server.open('orders')
    const total = { amount: 250, currency: 'GBP' }
    await database.transaction(async (session) => {
      session.write(
        `insert into orders (id, customer_id, status, lines, amount, currency, placed_at, version)
         values ('older', $1, 'placed', $2::jsonb, 250, 'GBP', now(), 1)`,
        [customer.id, JSON.stringify([{ sku: 'TEA', quantity: 1, price: total, total }])],
      )
      session.write(
        `with head as (update serval_head set position = position + 1 where partition = 0 returning *)
         insert into serval_log (partition, position, key, id, type, data, at, correlation_id)
         select partition, position, 'older', 'e1', 'order.placed.v1', $1, now(), 'c' from head`,
        [JSON.stringify({ orderId: 'older', customerId: customer.id, total })],
      )
    })
    const changes = follow(system, customer, 'older', '1')
    expect((await changes.next()).value).toMatchObject({ id: 2, status: 'reserved' })
    await changes.return?.()
  })

  test('over HTTP: events with ids, a problem instead of a stream where there is nothing to follow', async () => {
    const { id } = await place(system, customer, 'http')
    await finalOrder(system, customer, id)
    const serve = edge({
      env: systemEnv(),
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: () => undefined,
        error: () => undefined,
        with: () => {
          throw new Error('no log of its own')
        },
      },
      contracts: [orders],
      link: system.link,
      serves: () => true,
      identify: async () => customer,
    })
    const ask = async (target: string, headers: Readonly<Record<string, string>> = {}) => {
      const reply = await serve({
        method: 'GET',
        target,
        header: (name) => headers[name],
        remoteAddress: '127.0.0.1',
        signal: new AbortController().signal,
        body: async () => new Uint8Array(),
      })
      const decoder = new TextDecoder()
      let text = ''
      if (typeof reply.body === 'object' && Symbol.asyncIterator in reply.body)
        for await (const chunk of reply.body) text += decoder.decode(chunk, { stream: true })
      return { status: reply.status, text }
    }
    const whole = await ask(`/api/v1/orders/${id}/events`)
    expect(whole.status).toBe(200)
    const events = whole.text.split('\n\n').filter((event) => event !== '')
    expect(events.map((event) => event.split('\n')[0])).toEqual([
      'id: 1',
      'id: 2',
      'id: 3',
      'id: 4',
    ])
    expect(events[3]).toContain('"status":"confirmed"')
    const resumed = await ask(`/api/v1/orders/${id}/events`, { 'last-event-id': '3' })
    expect(resumed.text).toBe(`${events[3]}\n\n`)
    expect((await ask(`/api/v1/orders/${id}/events`, { 'last-event-id': 'x' })).status).toBe(400)
    expect((await ask('/api/v1/orders/none/events')).status).toBe(404)
  })
})

const server = await startPostgres()

if ('missing' in server)
  describe(`an order is followed through another host [skipped: ${server.missing}]`, () => {
    test.skipIf(true)('all of it', () => undefined)
  })
else
  describe('an order is followed through another host', () => {
    const hosts: TestServices[] = []
    const worlds = [1, 2].map(() => ({
      server: postgres({ url: server.url, prefix: server.prefix }),
      mail: mailbox({}),
    }))
    beforeAll(async () => {
      for (const world of worlds) hosts.push(await startShop(world))
    }, 60_000)
    afterAll(async () => {
      for (const host of hosts) await host.end()
      for (const world of worlds) await world.server.close()
      await server.stop()
    }, 60_000)

    test('every change, in order, through either host', async () => {
      const [one, two] = hosts
      if (one === undefined || two === undefined) throw new Error('two hosts run')
      await stockOf(one, [{ sku: 'TEA', onHand: 1_000 }])
      const customer = userOf('c')
      const told = await Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          const { id } = await place(one, customer, `other-${n}`)
          return rest(follow(n % 2 === 0 ? two : one, customer, id))
        }),
      )
      for (const changes of told) expect(statusesOf(changes)).toEqual(confirmedWay)
    }, 60_000)
  })

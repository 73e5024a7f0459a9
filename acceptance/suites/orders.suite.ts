import { describe, expect, test } from 'vitest'
import { follow } from '../event-stream.ts'
import { pointersOf, problemOf } from '../problem.ts'
import { bearer } from '../raw-http.ts'
import { until } from '../until.ts'
import type { Order, World } from '../world.ts'

/** Orders and their ways, live events, what people are told, and what merchants see. */
export const ordersSuite = (world: World): void => {
  const { ask, fresh, product, place, settled, register, merchant, customer } = world
  const shipTo = {
    name: 'Ada',
    street: '1 High Street',
    city: 'York',
    postcode: 'YO1',
    country: 'UK',
  }
  const idOf = (reply: { json<T>(): T }) => reply.json<{ id: string }>().id

  describe('an order', () => {
    test('is placed once under a key, and is its customer’s alone', async () => {
      const sku = await product({ onHand: 100 })
      const key = fresh('key')
      const lines = [
        { sku, quantity: 2 },
        { sku, quantity: 1 },
      ]
      const first = await place(customer, lines, { key, shipTo })
      const order = first.json<Order>()
      expect([first.status, first.headers['location']]).toEqual([201, `/api/v1/orders/${order.id}`])
      const price = { amount: 1_250, currency: 'GBP' }
      const total = { amount: 3_750, currency: 'GBP' }
      expect(order).toMatchObject({
        status: 'placed',
        lines: [{ sku, quantity: 3, price, total }],
        total,
        placedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
        shipTo,
      })
      const again = await place(customer, lines, { key, shipTo })
      expect([again.status, again.text, again.headers['location']]).toEqual([
        201,
        first.text,
        first.headers['location'],
      ])
      problemOf(
        await place(customer, [{ sku, quantity: 1 }], { key }),
        422,
        'idempotency-key-reused',
        '/api/v1/orders',
      )
      const other = await register()
      expect(idOf(await place(other, lines, { key, shipTo }))).not.toBe(order.id)
      const path = `/api/v1/orders/${order.id}`
      for (const [request, as] of [
        [`GET ${path}`, other],
        [`POST ${path}/cancel`, other],
        [`GET ${path}/events`, other],
        [`GET ${path}`, merchant],
        [`GET /api/v1/orders/nothing`, customer],
      ] as const)
        problemOf(await ask(request, { as }), 404, 'no-such-order')
    })

    test('is one of many that come under one key at once', async () => {
      const sku = await product({ onHand: 100 })
      const key = fresh('key')
      const replies = await Promise.all(
        Array.from({ length: 8 }, () => place(customer, [{ sku, quantity: 1 }], { key })),
      )
      for (const { status } of replies) expect([201, 409]).toContain(status)
      const placed = replies.filter(({ status }) => status === 201)
      expect(new Set(placed.map(({ text }) => text)).size).toBe(1)
    })

    test('that cannot be is refused', async () => {
      const [sku, euro] = [
        await product(),
        await product({ price: { amount: 1, currency: 'EUR' } }),
      ]
      const dear = await product({ price: { amount: Number.MAX_SAFE_INTEGER, currency: 'GBP' } })
      const line = (name: string, quantity = 1) => ({ sku: name, quantity })
      const body = { lines: [line(sku)], payment: { token: 'tok_ok' } }
      problemOf(
        await ask('POST /api/v1/orders', { as: customer, body }),
        400,
        'idempotency-key-missing',
      )
      problemOf(await ask('POST /api/v1/orders', { body }), 401, 'unauthenticated')
      problemOf(await place(customer, [line('NOT-HERE')]), 422, 'unknown-sku')
      problemOf(await place(customer, [line(sku), line(euro)]), 422, 'mixed-currencies')
      problemOf(await place(customer, [line(dear, 2)]), 422, 'total-too-large')
      expect(pointersOf(await place(customer, []))).toEqual(['/lines'])
      expect(pointersOf(await place(customer, [line(sku, 0)]))).toContain('/lines/0/quantity')
      expect(
        pointersOf(await place(customer, [line(sku)], { shipTo: { ...shipTo, city: '' } })),
      ).toEqual(['/shipTo/city'])
    })

    test('goes its way: paid for, declined, late, out of stock, or cancelled', async () => {
      const user = await register()
      const sku = await product({ onHand: 10 })
      const cards = ['tok_ok', 'tok_declined', 'tok_flaky', 'tok_slow', 'tok_hang', 'tok_unknown']
      const ids = new Map<string, string>()
      for (const token of cards)
        ids.set(token, idOf(await place(user, [{ sku, quantity: 1 }], { token })))
      ids.set('too many', idOf(await place(user, [{ sku, quantity: 100 }])))
      const cancelled = idOf(await place(user, [{ sku, quantity: 1 }], { token: 'tok_slow' }))
      const cancel = await ask(`POST /api/v1/orders/${cancelled}/cancel`, { as: user })
      expect(cancel.status).toBe(202)
      expect(cancel.json()).toMatchObject({
        status: expect.stringMatching(/^cancell/),
        reason: 'cancelled-by-customer',
      })
      const end = async (name: string) => {
        const { status, reason, refunded } = await settled(user, ids.get(name) ?? name)
        return { status, reason, refunded }
      }
      expect(await end('tok_ok')).toEqual({ status: 'confirmed' })
      expect(await end('tok_declined')).toMatchObject({ reason: 'payment-declined' })
      expect(await end('tok_unknown')).toMatchObject({ reason: 'payment-declined' })
      expect(await end('too many')).toMatchObject({ reason: 'out-of-stock' })
      expect(await end('tok_flaky')).toEqual({ status: 'confirmed' })
      expect(await end('tok_slow')).toEqual({ status: 'confirmed' })
      expect(await end(cancelled)).toMatchObject({ reason: 'cancelled-by-customer' })
      const twice = await ask(`POST /api/v1/orders/${cancelled}/cancel`, { as: user })
      expect([twice.status, twice.json<Order>().status]).toEqual([202, 'cancelled'])
      problemOf(
        await ask(`POST /api/v1/orders/${ids.get('tok_ok')}/cancel`, { as: user }),
        409,
        'already-confirmed',
      )
      expect(await end('tok_hang')).toMatchObject({
        status: 'cancelled',
        reason: 'payment-timeout',
      })
      // Three were sold; whatever was held for the others is there again.
      const stock = await until(
        async () => (await ask(`GET /api/v1/stock/${sku}`)).json<{ available: number }>().available,
        (available) => available === 7,
      )
      expect(stock).toBe(7)

      const list = async (query: string) =>
        (await ask(`GET /api/v1/orders?${query}`, { as: user })).json<{
          items: Order[]
          next?: string
        }>()
      const all = [...ids.values(), cancelled].toReversed()
      expect((await list('')).items.map(({ id }) => id)).toEqual(all)
      expect((await list('status=confirmed')).items).toHaveLength(3)
      expect((await list('status=placed')).items).toEqual([])
      const { items, next } = await list('limit=5')
      const rest = await list(`limit=5&cursor=${next}`)
      expect([...items, ...rest.items].map(({ id }) => id)).toEqual(all)
      expect(rest).not.toHaveProperty('next')
      const path = `GET /api/v1/admin/orders?customer=${user.id}&status=cancelled`
      const seen = (await ask(path, { as: merchant })).json<{ items: object[] }>().items
      expect(seen).toHaveLength(5)
      for (const one of seen) expect(one).toMatchObject({ customerId: user.id })
      problemOf(await ask(path, { as: user }), 403, 'forbidden')
    }, 30_000)
  })

  describe('live events', () => {
    const events = (id: string, headers: Record<string, string> = {}, query = '') =>
      follow(world.address, {
        path: `/api/v1/orders/${id}/events${query}`,
        headers: { ...bearer(customer.token), ...headers },
      })
    const statuses = (stream: ReturnType<typeof follow>) =>
      stream.events().map(({ data }) => (data as { status: string }).status)
    const way = ['placed', 'reserved', 'paid', 'confirmed']

    test('tell each change as it happens, until the last', async () => {
      const sku = await product({ onHand: 10 })
      const id = idOf(await place(customer, [{ sku, quantity: 1 }], { token: 'tok_slow' }))
      const stream = events(id)
      await until(
        () => Promise.resolve(statuses(stream)),
        (seen) => seen.includes('reserved'),
      )
      expect(statuses(stream)).toEqual(['placed', 'reserved'])
      expect(stream.status()).toBe(200)
      expect(stream.head()).toMatch(/content-type: text\/event-stream/i)
      await stream.ended
      expect(statuses(stream)).toEqual(way)
      expect(stream.events().map((event) => event.id)).toEqual(['1', '2', '3', '4'])
      const late = events(id)
      await late.ended
      expect(late.events()).toEqual(stream.events())
    })

    test('go on after the last one that was seen', async () => {
      const sku = await product({ onHand: 10 })
      const id = idOf(await place(customer, [{ sku, quantity: 1 }]))
      await settled(customer, id)
      for (const stream of [events(id, { 'last-event-id': '2' }), events(id, {}, '?after=2')]) {
        await stream.ended
        expect(statuses(stream)).toEqual(way.slice(2))
      }
      const nothing = events(id, { 'last-event-id': '4' })
      await nothing.ended
      expect([nothing.status(), nothing.events()]).toEqual([200, []])
      const path = `GET /api/v1/orders/${id}/events`
      for (const last of ['x', '-1', '5', '99999999999'])
        expect(
          pointersOf(await ask(path, { as: customer, headers: { 'last-event-id': last } })),
        ).toEqual(['/after'])
      problemOf(await ask(path, { as: customer, headers: { accept: 'application/json' } }), 406)
      problemOf(await ask(path), 401, 'unauthenticated')
    })
  })

  describe('what is told afterwards', () => {
    interface Told {
      readonly items: readonly {
        readonly id: string
        readonly kind: string
        readonly orderId?: string
      }[]
      readonly next?: string
    }

    test('people hear by mail of their own orders, and find it in their list', async () => {
      const [user, other] = [await register(), await register()]
      const sku = await product({ onHand: 10 })
      const good = idOf(await place(user, [{ sku, quantity: 1 }]))
      const bad = idOf(await place(user, [{ sku, quantity: 1 }], { token: 'tok_declined' }))
      const list = async (as = user, query = '') =>
        (await ask(`GET /api/v1/notifications?${query}`, { as })).json<Told>()
      const { items } = await until(list, (found) => found.items.length === 3)
      const kinds = items.map(({ kind, orderId }) => `${kind} ${orderId ?? ''}`.trim())
      expect(new Set(kinds)).toEqual(
        new Set(['email-verification', `order-confirmed ${good}`, `order-cancelled ${bad}`]),
      )
      const page = await list(user, 'limit=2')
      const rest = await list(user, `limit=2&cursor=${page.next}`)
      expect([...page.items, ...rest.items]).toEqual(items)
      expect((await list(other)).items.map(({ orderId }) => orderId)).not.toContain(good)
      const mails = await world.mailsTo(user.email)
      expect(mails).toHaveLength(3)
      problemOf(await ask('GET /api/v1/notifications'), 401, 'unauthenticated')
    })

    test('merchants see sales over time and what sells most', async () => {
      const from = new Date(Date.now() - 60_000).toISOString()
      const sku = await product({ onHand: 1_000, price: { amount: 5, currency: 'XTS' } })
      const { id } = await settled(customer, idOf(await place(customer, [{ sku, quantity: 7 }])))
      expect(id).toBeDefined()
      interface Sales {
        readonly buckets: readonly {
          readonly at: string
          readonly orders: number
          readonly units: number
          readonly revenue: readonly { readonly amount: number; readonly currency: string }[]
        }[]
      }
      const to = new Date(Date.now() + 3_600_000).toISOString()
      const sales = async () =>
        (
          await ask(`GET /api/v1/analytics/sales?from=${from}&to=${to}&bucket=minute`, {
            as: merchant,
          })
        ).json<Sales>()
      const earned = ({ buckets }: Sales) =>
        buckets
          .flatMap(({ revenue }) => revenue)
          .filter(({ currency }) => currency === 'XTS')
          .reduce((sum, { amount }) => sum + amount, 0)
      const found = await until(sales, (seen) => earned(seen) >= 35)
      expect(earned(found)).toBeGreaterThanOrEqual(35)
      const times = found.buckets.map(({ at }) => Date.parse(at))
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      for (const at of times) expect(at % 60_000).toBe(0)
      const top = await ask(`GET /api/v1/analytics/top-products?from=${from}&to=${to}&limit=100`, {
        as: merchant,
      })
      const mine = top.json<{ items: { sku: string }[] }>().items.find((one) => one.sku === sku)
      expect(mine).toEqual({ sku, units: 7, revenue: [{ amount: 35, currency: 'XTS' }] })
    })

    test('what merchants ask of time must make sense', async () => {
      const sales = (query: string) => ask(`GET /api/v1/analytics/sales?${query}`, { as: merchant })
      for (const bucket of ['minute', 'hour', 'day'])
        expect((await sales(`bucket=${bucket}`)).status).toBe(200)
      const range = 'from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z'
      expect((await sales(`${range}&bucket=day`)).json<{ buckets: [] }>().buckets).toHaveLength(2)
      problemOf(await sales(`${range}&bucket=minute`), 422, 'too-many-buckets')
      expect(pointersOf(await sales('bucket=week'))).toEqual(['/bucket'])
      expect(pointersOf(await sales('from=yesterday'))).toEqual(['/from'])
      const reversed = 'from=2026-01-03T00:00:00Z&to=2026-01-01T00:00:00Z'
      expect(pointersOf(await sales(reversed))).toEqual(['/from'])
      for (const as of [customer, undefined]) {
        const status = as === undefined ? 401 : 403
        problemOf(await ask('GET /api/v1/analytics/sales', { as }), status)
        problemOf(await ask('GET /api/v1/analytics/top-products', { as }), status)
      }
    })
  })
}

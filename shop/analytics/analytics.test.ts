import fc from 'fast-check'
import { service, systemEnv, type Caller } from 'serval'
import { pglite } from 'serval/engines/pglite'
import type { SqlServer } from 'serval/engines/sql'
import { eventually, startTestServices, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Money } from '../money.ts'
import { orders } from '../orders/contract.ts'
import { analytics } from './contract.ts'
import { analyticsService } from './service.ts'

const merchant: Caller = { kind: 'user', id: 'm', roles: ['merchant'], session: 's' }
const customer: Caller = { kind: 'user', id: 'c', roles: [], session: 's' }
const operator: Caller = { kind: 'operator' }
const absent = () => Promise.reject(new Error('nobody calls this'))

/** An order is "cancelled" to say that it was confirmed, at the moment of the clock. */
interface Confirmed {
  readonly currency: string
  readonly lines: readonly {
    readonly sku: string
    readonly quantity: number
    readonly amount: number
  }[]
}
const confirmed = new Map<string, Confirmed>()
const ordersService = service(orders, {
  operations: {
    place: absent,
    list: absent,
    order: absent,
    follow: absent,
    listAll: absent,
    audit: absent,
    cancel: ({ id }, { step }) =>
      step(async (s) => {
        const { currency, lines } = confirmed.get(id) ?? { currency: 'GBP', lines: [] }
        const total = { amount: lines.reduce((sum, { amount }) => sum + amount, 0), currency }
        s.emit(orders.events.confirmed, {
          orderId: id,
          customerId: 'c',
          total,
          lines: lines.map(({ sku, quantity, amount }) => ({
            sku,
            quantity,
            total: { amount, currency },
          })),
        })
        return { id, status: 'confirmed' as const, lines: [], total, placedAt: '' }
      }),
  },
})

const begin = Date.UTC(2026, 0, 1)
/** The time of day; timers are real. */
let now = begin
const env = { ...systemEnv(), now: () => now }
let server: SqlServer
let system: TestServices
const start = () => startTestServices({ services: [analyticsService, ordersService], server, env })

beforeAll(async () => {
  server = pglite({})
  system = await start()
})
afterAll(async () => {
  await system.end()
})

const text = (ms: number) => new Date(ms).toISOString()
let published = 0
const confirm = async (id: string, order: Confirmed) => {
  confirmed.set(id, order)
  published += 1
  await system.client(orders, customer).cancel({ id })
}
const tea = (units: number): Confirmed => ({
  currency: 'GBP',
  lines: [{ sku: 'TEA', quantity: units, amount: 250 * units }],
})
const audit = () => system.client(analytics, operator).audit({})
const sales = (input: { from?: string; to?: string; bucket?: 'minute' | 'hour' | 'day' } = {}) =>
  system.client(analytics, merchant).sales(input)
const top = (input: { from?: string; to?: string; limit?: number } = {}) =>
  system.client(analytics, merchant).topProducts(input)
/** Waits until analytics has read all that orders has published, and counted what it had to set aside. */
const caughtUp = () =>
  eventually(async () => {
    const heads = (await system.stores.get('orders')?.log.heads()) ?? []
    const read = await system.stores
      .get('analytics')
      ?.subscriptions.positions({ subscription: 'analytics', publisher: 'orders' })
    const logged = total(heads.map(({ position }) => position))
    return (
      logged >= published &&
      JSON.stringify(heads) === JSON.stringify(read) &&
      (await audit()).orders >= confirmed.size
    )
  }, 'the last cursor')

/** Sums of amounts, exactly, per currency. */
const exact = (amounts: readonly Money[]): Record<string, string> => {
  const sums: Record<string, bigint> = {}
  for (const { amount, currency } of amounts)
    sums[currency] = (sums[currency] ?? 0n) + BigInt(amount)
  return Object.fromEntries(
    Object.entries(sums)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([currency, sum]) => [currency, String(sum)]),
  )
}
const total = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0)

test('before the first order every bucket is there, and empty', async () => {
  const { buckets } = await sales()
  expect(buckets).toHaveLength(24)
  expect(buckets.at(-1)).toEqual({ at: text(begin), orders: 0, units: 0, revenue: [] })
  expect(await top()).toEqual({ items: [] })
  expect(await audit()).toEqual({ orders: 0, units: 0, revenue: [] })
})

test('an order is counted in the minute, hour and day in which it was confirmed; from is in, to is not', async () => {
  now += 3_600_000 - 1
  const last = now
  await confirm('o1', tea(1))
  now += 1
  await confirm('o2', tea(2))
  await caughtUp()
  const counts = async (bucket: 'minute' | 'hour' | 'day', from: number, to: number) => {
    const { buckets } = await sales({ bucket, from: text(from), to: text(to) })
    return buckets.map((one) => [one.at, one.orders, one.units])
  }
  const hour = 3_600_000
  expect(await counts('hour', begin, begin + 2 * hour)).toEqual([
    [text(begin), 1, 1],
    [text(begin + hour), 1, 2],
  ])
  expect(await counts('minute', last - 59_999, begin + hour + 60_000)).toEqual([
    [text(begin + hour - 60_000), 1, 1],
    [text(begin + hour), 1, 2],
  ])
  expect(await counts('day', begin, begin + 24 * hour)).toEqual([[text(begin), 2, 3]])
  // One millisecond on either side of each.
  expect(await counts('day', last, last + 1)).toEqual([[text(begin), 1, 1]])
  expect(await counts('day', last + 1, last + 2)).toEqual([[text(begin), 1, 2]])
  expect(await counts('day', last + 2, begin + 24 * hour)).toEqual([[text(begin), 0, 0]])
  expect(await counts('day', begin, last)).toEqual([[text(begin), 0, 0]])
})

test('an order whose event comes again, or is published again, is counted once', async () => {
  const before = await audit()
  await confirm('o3', tea(5))
  now += 120_000
  await confirm('o3', tea(5))
  await caughtUp()
  const after = await audit()
  expect(after.orders).toBe(before.orders + 1)
  expect(after.units).toBe(before.units + 5)
})

test('a restart changes nothing, nor does reading everything once more from the oldest', async () => {
  const before = await audit()
  const products = await top()
  await system.end({ keepServer: true })
  const database = await server.open('analytics')
  await database.transaction(async (session) =>
    session.write('update serval_cursor set position = 0'),
  )
  system = await start()
  await caughtUp()
  expect(await audit()).toEqual(before)
  expect(await top()).toEqual(products)
})

test('products are listed by units, with their revenue in each currency', async () => {
  const from = text(now)
  const order = (currency: string, ...lines: [string, number, number][]): Confirmed => ({
    currency,
    lines: lines.map(([sku, quantity, amount]) => ({ sku, quantity, amount })),
  })
  await confirm('p1', order('GBP', ['B', 2, 20], ['a', 2, 8], ['Z', 9, 90]))
  await confirm('p2', order('EUR', ['B', 3, 33]))
  await confirm('p3', order('GBP', ['C', 2, 2]))
  await caughtUp()
  now += 1
  const to = text(now)
  const { items } = await top({ from, to })
  expect(items).toEqual([
    { sku: 'Z', units: 9, revenue: [{ amount: 90, currency: 'GBP' }] },
    {
      sku: 'B',
      units: 5,
      revenue: [
        { amount: 33, currency: 'EUR' },
        { amount: 20, currency: 'GBP' },
      ],
    },
    { sku: 'C', units: 2, revenue: [{ amount: 2, currency: 'GBP' }] },
    { sku: 'a', units: 2, revenue: [{ amount: 8, currency: 'GBP' }] },
  ])
  expect((await top({ from, to, limit: 2 })).items).toEqual(items.slice(0, 2))
  const { buckets } = await sales({ from, to, bucket: 'day' })
  expect(buckets[0]?.revenue).toEqual([
    { amount: 33, currency: 'EUR' },
    { amount: 120, currency: 'GBP' },
  ])
})

test('sums are those of the orders, to the last unit, also beyond 2^53−1', async () => {
  const line = fc.record({
    sku: fc.constantFrom('S1', 'S2', 'S3', 'S4'),
    quantity: fc.integer({ min: 1, max: 100_000 }),
    amount: fc.integer({ min: 0, max: 2 ** 51 - 1 }),
  })
  const order = fc.record({
    currency: fc.constantFrom('EUR', 'GBP', 'JPY'),
    lines: fc.uniqueArray(line, { minLength: 1, maxLength: 4, selector: ({ sku }) => sku }),
    wait: fc.integer({ min: 0, max: 7_200_000 }),
  })
  let orderId = 0
  await fc.assert(
    fc.asyncProperty(fc.array(order, { minLength: 1, maxLength: 12 }), async (placed) => {
      const from = text(now)
      for (const { wait, ...one } of placed) {
        const id = `sum-${(orderId += 1)}`
        await confirm(id, one)
        // Every other one is published twice.
        if (orderId % 2 === 0) await confirm(id, one)
        now += wait
      }
      now += 1
      await caughtUp()
      const to = text(now)
      const lines = placed.flatMap(({ currency, lines: own }) =>
        own.map((each) => ({ ...each, currency })),
      )
      for (const bucket of ['minute', 'hour', 'day'] as const) {
        const { buckets } = await sales({ from, to, bucket })
        expect(total(buckets.map((one) => one.orders))).toBe(placed.length)
        expect(total(buckets.map((one) => one.units))).toBe(
          total(lines.map((each) => each.quantity)),
        )
        expect(exact(buckets.flatMap((one) => one.revenue))).toEqual(exact(lines))
      }
      const { items } = await top({ from, to })
      for (const { sku, units, revenue } of items) {
        const own = lines.filter((each) => each.sku === sku)
        expect(units).toBe(total(own.map((each) => each.quantity)))
        expect(exact(revenue)).toEqual(exact(own))
      }
      expect(items).toHaveLength(new Set(lines.map((each) => each.sku)).size)
    }),
    { numRuns: 10 },
  )
  const everything = [...confirmed.values()]
  const { revenue, orders: counted } = await audit()
  expect(counted).toBe(everything.length)
  expect(exact(revenue)).toEqual(
    exact(
      everything.flatMap(({ currency, lines }) => lines.map((each) => ({ ...each, currency }))),
    ),
  )
}, 60_000)

test('what is no range is refused, and says so', async () => {
  for (const input of [
    { from: '2026-01-01' },
    { from: '2026-01-01T00:00Z' },
    { from: '2026-01-01T00:00:00+01:00' },
    { to: '0000-01-01T00:00:00Z' },
    { to: '1969-12-31T23:59:59Z' },
    { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' },
    { bucket: 'week' as 'day' },
  ])
    expect(await sales(input).catch((error: unknown) => error)).toMatchObject({
      code: 'invalid-input',
    })
  const wide = { from: '1970-01-01T00:00:00Z', to: '9999-12-31T23:59:59.999Z' }
  expect(await sales(wide).catch((error: unknown) => error)).toMatchObject({
    code: 'too-many-buckets',
    data: { limit: 2_000 },
  })
  expect((await top(wide)).items.length).toBeGreaterThan(0)
})

test('sales are the merchants’, the audit is the operator’s', async () => {
  for (const call of [
    () => system.client(analytics, customer).sales({}),
    () => system.client(analytics, customer).topProducts({}),
    () => system.client(analytics, merchant).audit({}),
  ])
    expect(await call().catch((error: unknown) => error)).toMatchObject({ code: 'forbidden' })
})

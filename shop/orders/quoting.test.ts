import { failure, systemEnv, type Service } from 'serval'
import { argon2Passwords } from 'serval/engines/argon2'
import { joseSigner } from 'serval/engines/jose'
import { mailbox } from 'serval/engines/mailbox'
import { startTestServices, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { catalog } from '../catalog/contract.ts'
import { finalOrder, stockOf, userOf } from '../guarantees/shop-in-test.suite.ts'
import { shop } from '../shop.ts'
import { orders } from './contract.ts'

/* Orders while the catalog is away. */

let now = Date.now()
const env = { ...systemEnv(), now: () => now }

/** What the catalog does with the next quotes. */
let trouble: (() => Promise<never>) | undefined
let asked = 0
const away = () => Promise.reject(failure('unavailable', 'the catalog is away'))

const troubled = (service: Service): Service => {
  const { quote } = service.operations
  if (service.contract.name !== 'catalog' || quote === undefined) return service
  return {
    ...service,
    operations: {
      ...service.operations,
      quote: (input, context) => {
        asked += 1
        return trouble === undefined ? quote(input, context) : trouble()
      },
    },
  }
}

let system: TestServices
beforeAll(async () => {
  system = await startTestServices({
    services: shop.services.map(troubled),
    ports: {
      mail: mailbox({}),
      passwords: argon2Passwords({ memoryKib: 8, passes: 1 }),
      tokens: joseSigner(),
    },
    env,
  })
  await stockOf(system, [
    { sku: 'TEA', onHand: 1_000 },
    { sku: 'CUP', onHand: 1_000 },
    { sku: 'NEW', onHand: 1_000 },
  ])
}, 60_000)
afterAll(() => system.end())
beforeEach(() => {
  trouble = undefined
})

const customer = userOf('c')
const client = () => system.client(orders, customer)
let placed = 0
const place = (...lines: readonly [sku: string, quantity: number][]) =>
  client().place(
    {
      lines: lines.map(([sku, quantity]) => ({ sku, quantity })),
      payment: { token: 'tok_ok' },
    },
    { key: `q${(placed += 1)}` },
  )
const refused = (order: Promise<unknown>) => order.catch((error: unknown) => error)

test('while the catalog is away an order is placed with the prices that it said last, and says so', async () => {
  expect(await place(['TEA', 1])).not.toHaveProperty('quotedAt')
  now += 30_000
  const copied = new Date(now).toISOString()
  await place(['CUP', 2])
  trouble = away
  now += 60_000
  // A basket that nobody has ordered before, of SKUs that somebody has.
  const order = await place(['CUP', 2], ['TEA', 3], ['CUP', 1])
  expect(order).toMatchObject({
    status: 'placed',
    quotedAt: new Date(now - 90_000).toISOString(),
    total: { amount: 6 * 250, currency: 'GBP' },
    lines: [
      { sku: 'CUP', quantity: 3, total: { amount: 750 } },
      { sku: 'TEA', quantity: 3, total: { amount: 750 } },
    ],
  })
  expect(await place(['CUP', 1])).toMatchObject({ quotedAt: copied })
  const final = await finalOrder(system, customer, order.id)
  expect(final).toMatchObject({ status: 'confirmed', quotedAt: order.quotedAt })
})

test('without a copy of every SKU the catalog’s unavailability goes out', async () => {
  await place(['TEA', 1])
  trouble = away
  expect(await refused(place(['TEA', 1], ['NEW', 1]))).toMatchObject({ kind: 'unavailable' })
  expect(await refused(place(['NEW', 1]))).toMatchObject({ kind: 'unavailable' })
})

test('a copy is too old after some minutes', async () => {
  await place(['TEA', 1])
  trouble = away
  now += 4 * 60_000
  expect(await place(['TEA', 1])).toHaveProperty('quotedAt')
  now += 2 * 60_000
  expect(await refused(place(['TEA', 1]))).toMatchObject({ kind: 'unavailable' })
})

test('what the catalog refuses is refused: there is no falling back from an answer', async () => {
  await place(['TEA', 1])
  expect(await refused(place(['TEA', 1], ['NONE', 1]))).toMatchObject({ code: 'unknown-sku' })
  trouble = () => Promise.reject(new TypeError('a fault'))
  expect(await refused(place(['TEA', 1]))).toBeInstanceOf(TypeError)
})

test('a copy makes the problems that a quote makes', async () => {
  const price = { amount: 199, currency: 'EUR' }
  const tasse = { sku: 'TASSE', name: 'Tasse', description: '', category: 'Tests', attributes: {} }
  await system
    .client(catalog, { kind: 'service', name: 'test' })
    .provide({ product: { ...tasse, price } })
  await place(['TEA', 1])
  await place(['TASSE', 1])
  trouble = away
  expect(await refused(place(['TEA', 1], ['TASSE', 1]))).toMatchObject({ code: 'mixed-currencies' })
})

test('a healthy catalog is asked for every order', async () => {
  const before = asked
  for (let order = 0; order < 3; order++)
    expect(await place(['TEA', 1])).not.toHaveProperty('quotedAt')
  expect(asked - before).toBe(3)
})

test('a catalog that hangs leaves time enough to place the order with the copy', async () => {
  await place(['TEA', 1])
  trouble = () => new Promise(() => undefined)
  expect(await place(['TEA', 1])).toHaveProperty('quotedAt')
}, 15_000)

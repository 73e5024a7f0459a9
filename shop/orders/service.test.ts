import type { OutputOf } from 'serval'
import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { manualEnv, type ManualEnv, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  finalOrder,
  newCustomer,
  startShop,
  stockOf,
  sums,
  userOf,
  type World,
} from '../guarantees/shop-in-test.suite.ts'
import { orders, statuses } from './contract.ts'

/* Orders with the whole shop around it, and a clock that stands still until a test moves it. */

let env: ManualEnv
let world: World
let running: TestServices
let user: ReturnType<typeof userOf>
let placed = 0
let mailsBefore = 0

beforeAll(async () => {
  env = manualEnv(Date.now())
  world = { server: pglite({}), mail: mailbox({}) }
  running = await startShop(world, undefined, env)
  user = await newCustomer(running, 'orders')
  await stockOf(running, [
    { sku: 'TEA', onHand: 100 },
    { sku: 'RARE', onHand: 1 },
  ])
  mailsBefore = (await sums(running)).mails
}, 60_000)
afterAll(async () => {
  await running.end()
})

const client = () => running.client(orders, user)
const place = (token: string, lines = [{ sku: 'TEA', quantity: 1 }]) =>
  client().place({ lines, payment: { token } }, { key: `k${placed++}` })
const isFinal = (status: string) => status === 'confirmed' || status === 'cancelled'

/** Moves time in small steps until an order is final, and answers it and the seconds that it took. */
const wait = async (id: string, seconds: number) => {
  const begun = env.now()
  while (env.now() - begun < seconds * 1_000) {
    await env.advance(50)
    const order = await client().order({ id })
    if (isFinal(order.status)) return { order, seconds: (env.now() - begun) / 1_000 }
  }
  return { order: await client().order({ id }), seconds }
}

test('a good card: placed, then confirmed without any time', async () => {
  const order = await place('tok_ok')
  expect(order).toMatchObject({ status: 'placed', total: { amount: 250, currency: 'GBP' } })
  expect((await finalOrder(running, user, order.id)).status).toBe('confirmed')
})

test('a declined card: cancelled, and nothing was charged', async () => {
  const { id } = await place('tok_declined')
  const order = await finalOrder(running, user, id)
  expect(order).toMatchObject({ status: 'cancelled', reason: 'payment-declined' })
  expect(order).not.toHaveProperty('refunded')
})

test('too few units: cancelled, all lines or none', async () => {
  const { id } = await place('tok_ok', [
    { sku: 'TEA', quantity: 1 },
    { sku: 'RARE', quantity: 2 },
  ])
  expect(await finalOrder(running, user, id)).toMatchObject({
    status: 'cancelled',
    reason: 'out-of-stock',
  })
  expect((await sums(running)).reserved).toBe(0)
})

test('a slow card: confirmed after its three seconds', async () => {
  const { id } = await place('tok_slow')
  const { order, seconds } = await wait(id, 20)
  expect(order.status).toBe('confirmed')
  expect(seconds).toBeGreaterThan(2.5)
})

test('a flaky card: confirmed after some tries, charged once', async () => {
  const before = await sums(running)
  const { id } = await place('tok_flaky')
  expect((await wait(id, 20)).order.status).toBe('confirmed')
  const after = await sums(running)
  expect(after.charged - before.charged).toBe(250)
  expect(after.doubled).toBe(0)
})

test('a card that never answers: cancelled after ten seconds, the goods are free again', async () => {
  const { id } = await place('tok_hang')
  const { order, seconds } = await wait(id, 40)
  expect(order).toMatchObject({ status: 'cancelled', reason: 'payment-timeout' })
  expect(seconds).toBeGreaterThan(9.5)
  expect(seconds).toBeLessThan(20)
  expect((await sums(running)).reserved).toBe(0)
})

test('the customer cancels while the card hangs: cancelled, and nothing is charged', async () => {
  const { id } = await place('tok_hang')
  await env.advance(200)
  expect((await client().cancel({ id })).status).toBe('cancelling')
  const { order } = await wait(id, 40)
  expect(order).toMatchObject({ status: 'cancelled', reason: 'cancelled-by-customer' })
  expect((await client().cancel({ id })).status).toBe('cancelled')
})

test('a confirmed order is not cancelled any more, and another’s order is not there', async () => {
  const { id } = await place('tok_ok')
  await finalOrder(running, user, id)
  const refused = await client()
    .cancel({ id })
    .catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'already-confirmed', kind: 'conflict' })
  const stranger = running.client(orders, userOf('stranger'))
  for (const attempt of [() => stranger.order({ id }), () => stranger.cancel({ id })]) {
    const failed = await attempt().catch((error: unknown) => error)
    expect(failed).toMatchObject({ code: 'no-such-order', kind: 'not-found' })
  }
  expect((await stranger.list({})).items).toEqual([])
})

test('lists are newest first, page by page, and by status', async () => {
  const all = []
  let cursor: string | undefined
  do {
    const page = await client().list({ limit: 3, ...(cursor === undefined ? {} : { cursor }) })
    all.push(...page.items)
    cursor = page.next
  } while (cursor !== undefined)
  expect(all.length).toBe(placed)
  expect(all.map((order) => order.id)).toEqual(
    all
      .map((order) => order.id)
      .toSorted()
      .reverse(),
  )
  const cancelled = await client().list({ status: 'cancelled', limit: 100 })
  expect(cancelled.items.length).toBe(all.filter((order) => order.status === 'cancelled').length)
})

test('a merchant sees everybody’s orders, newest first, by customer and by status', async () => {
  const other = userOf('somebody')
  const { id } = await running
    .client(orders, other)
    .place(
      { lines: [{ sku: 'TEA', quantity: 1 }], payment: { token: 'tok_ok' } },
      { key: `k${placed++}` },
    )
  await finalOrder(running, other, id)
  const merchant = running.client(orders, { ...userOf('m'), roles: ['merchant'] })
  const all: OutputOf<typeof orders.operations.listAll>['items'] = []
  let cursor: string | undefined
  do {
    const page = await merchant.listAll({ limit: 4, ...(cursor === undefined ? {} : { cursor }) })
    all.push(...page.items)
    cursor = page.next
  } while (cursor !== undefined)
  expect(all.length).toBe(placed)
  expect(all[0]).toMatchObject({ id, customerId: other.id })
  expect(all.map((order) => order.id)).toEqual(
    all
      .map((order) => order.id)
      .toSorted()
      .toReversed(),
  )
  const ids = async (filter: Parameters<typeof merchant.listAll>[0]) =>
    (await merchant.listAll({ ...filter, limit: 100 })).items.map((order) => order.id)
  const expected = (filter: (order: (typeof all)[number]) => boolean) =>
    all.filter(filter).map((order) => order.id)
  expect(await ids({ customer: other.id })).toEqual([id])
  expect(await ids({ customer: 'nobody' })).toEqual([])
  for (const status of statuses) {
    expect(await ids({ status })).toEqual(expected((order) => order.status === status))
    expect(await ids({ status, customer: user.id })).toEqual(
      expected((order) => order.status === status && order.customerId === user.id),
    )
  }
  const refused = await client()
    .listAll({})
    .catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'forbidden' })
})

test('at the end money, goods and mails agree', async () => {
  await env.advance(1_000)
  const all = await sums(running)
  expect(all.captured).toBe(all.confirmedAmount)
  expect(all.charged).toBe(all.captured + all.refunded)
  expect(all).toMatchObject({ doubled: 0, negative: 0, reserved: 0 })
  // One order is somebody's of whom accounts knows nothing: there is nobody to write to.
  expect(all.mails - mailsBefore).toBe(placed - 1)
})

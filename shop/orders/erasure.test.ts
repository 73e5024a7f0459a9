import { systemEnv } from 'serval'
import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { eventually, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accounts } from '../accounts/contract.ts'
import {
  finalOrder,
  newCustomer,
  startShop,
  stockOf,
  userOf,
  type World,
} from '../guarantees/shop-in-test.suite.ts'
import { orders } from './contract.ts'

/* Somebody is erased: the orders stay, and say nothing of a person any more. */

let now = Date.now()
const env = { ...systemEnv(), now: () => now }
const merchant = { ...userOf('m'), roles: ['merchant'] }
let world: World
let system: TestServices

beforeAll(async () => {
  world = { server: pglite({}), mail: mailbox({}) }
  system = await startShop(world, undefined, env)
  await stockOf(system, [{ sku: 'TEA', onHand: 1_000 }])
}, 60_000)
afterAll(() => system.end())

const shipTo = {
  name: 'Ada Lovelace',
  street: '12 St James’s Square',
  city: 'London',
  postcode: 'SW1Y 4JH',
  country: 'GB',
}
let placed = 0
const place = async (customer: ReturnType<typeof userOf>, token = 'tok_ok') => {
  const { id } = await system
    .client(orders, customer)
    .place(
      { lines: [{ sku: 'TEA', quantity: 1 }], payment: { token }, shipTo },
      { key: `e${(placed += 1)}` },
    )
  return id
}
/** Where an address is left in the database of orders, of whichever customer. */
const left = async (customer: string) => {
  const database = await world.server.open('orders')
  const rows = await database.read((session) =>
    session.query<{ text: string }>(
      `select orders::text as text from orders where customer_id = $1
union all select convert_from(body, 'UTF8') from serval_reply where scope like 'user:' || $1 || ' %'`,
      [customer],
    ),
  )
  return rows.filter(({ text }) => text.includes('Lovelace')).length
}
const ordersOf = async (customer: string) =>
  (await system.client(orders, merchant).listAll({ customer, limit: 100 })).items
const addresses = async (customer: string) =>
  (await ordersOf(customer)).filter((order) => order.shipTo !== undefined).length

test('the address leaves each order of somebody who is erased, whatever its status, and stays in others’', async () => {
  const [ada, bob] = [await newCustomer(system, 'ada'), await newCustomer(system, 'bob')]
  const ids: string[] = []
  for (let order = 0; order < 5; order++) ids.push(await place(ada))
  const hanging = await place(ada, 'tok_hang')
  await place(bob)
  for (const id of ids) await finalOrder(system, ada, id)
  await system.client(accounts, ada).erase({})
  await eventually(async () => (await addresses(ada.id)) === 0, 'the last address')
  expect((await ordersOf(ada.id)).map((order) => order.id)).toEqual([hanging, ...ids.toReversed()])
  expect(await addresses(bob.id)).toBe(1)
  // What the shop keeps for its books is as it was, and what was under way goes on.
  const [last] = await ordersOf(ada.id)
  expect(last).toMatchObject({ customerId: ada.id, total: { amount: 250, currency: 'GBP' } })
  expect((await system.client(orders, ada).cancel({ id: hanging })).status).toBe('cancelling')
  const database = await world.server.open('orders')
  const rows = await database.read((session) =>
    session.query<{ rows: number }>(
      `select count(*) as rows from orders where orders::text ilike '%lovelace%' and customer_id = $1`,
      [ada.id],
    ),
  )
  expect(rows[0]?.rows).toBe(0)
}, 30_000)

test('an order that is placed afterwards, with a token that is valid still, loses its address when no such token can be', async () => {
  const [eve, ben] = [await newCustomer(system, 'eve'), await newCustomer(system, 'ben')]
  await place(eve)
  await place(ben)
  await system.client(accounts, eve).erase({})
  await eventually(async () => (await addresses(eve.id)) === 0, 'the first round')
  now += 9 * 60_000
  const last = await place(eve)
  expect(await addresses(eve.id)).toBe(1)
  // Under its key it is the same order still.
  placed -= 1
  expect(await place(eve)).toBe(last)
  // Two replies and an order.
  expect(await left(eve.id)).toBe(3)
  expect(await left(ben.id)).toBe(2)
  now += 6 * 60_000
  await eventually(async () => (await left(eve.id)) === 0, 'the second round')
  expect(await ordersOf(eve.id)).toHaveLength(2)
  expect(await left(ben.id)).toBe(2)
}, 30_000)

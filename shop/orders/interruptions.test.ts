import { failure, service } from 'serval'
import { argon2Passwords } from 'serval/engines/argon2'
import { joseSigner } from 'serval/engines/jose'
import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { eventually, manualEnv, startTestServices, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  finalOrder,
  newCustomer,
  startShop,
  stockOf,
  sums,
  type userOf,
  type World,
} from '../guarantees/shop-in-test.suite.ts'
import { payments } from '../payments/contract.ts'
import { shop } from '../shop.ts'
import { orders } from './contract.ts'

/* A host that stops at the worst moment of an order's way, and what the next one makes of it. The clock stands still: what is apart would not move. */

const env = manualEnv(Date.now())
let world: World
let user: ReturnType<typeof userOf>
const start = () => startShop(world, undefined, env, 'together')

beforeAll(async () => {
  world = { server: pglite({}), mail: mailbox({}) }
  const running = await start()
  user = await newCustomer(running, 'interrupted')
  await stockOf(running, [{ sku: 'TEA', onHand: 100 }])
  await running.end({ keepServer: true })
}, 60_000)
afterAll(() => world.server.close())

const order = (token: string) => ({
  lines: [{ sku: 'TEA', quantity: 1 }],
  payment: { token },
})
const minutes = 60_000

/** Moves time on until the order is in one of the statuses. */
const until = async (
  running: Awaited<ReturnType<typeof start>>,
  id: string,
  ...wanted: readonly string[]
) => {
  for (let turn = 0; turn < 400; turn++) {
    const { status } = await running.client(orders, user).order({ id })
    if (wanted.includes(status)) return
    await env.advance(50)
  }
  throw new Error(`the order ${id} is not ${wanted.join(' or ')}`)
}

test('a host that stops while a payment is under way, however late, leaves it to the next one', async () => {
  const first = await start()
  const { id } = await first.client(orders, user).place(order('tok_slow'), { key: 'late' })
  await until(first, id, 'reserved')
  await env.advance(500)
  await first.end({ keepServer: true })
  await env.advance(2 * minutes)
  const second = await start()
  // Long enough for the try to begin, too short for the card.
  for (let turn = 0; turn < 50; turn++) await env.advance(50)
  await second.end({ keepServer: true })
  const third = await start()
  await until(third, id, 'confirmed', 'cancelled')
  expect(await finalOrder(third, user, id)).toMatchObject({ status: 'confirmed' })
  await third.end({ keepServer: true })
}, 60_000)

test('an order that cannot be paid because payments is not there waits for it, longer than for a card', async () => {
  let away = true
  const paying = service(payments, {
    operations: {
      capture: async () => {
        if (away) throw failure('unavailable', 'payments is not there')
        return { reference: 'r' }
      },
      refund: async () => ({ refunded: false }),
      audit: async () => ({
        captured: { payments: 0, amounts: [] },
        refunded: { payments: 0, amounts: [] },
      }),
    },
  })
  const running = await startTestServices({
    services: [...shop.services.filter((one) => one.contract.name !== payments.name), paying],
    server: world.server,
    ports: {
      mail: world.mail,
      passwords: argon2Passwords({ memoryKib: 8, passes: 1 }),
      tokens: joseSigner(),
    },
    env,
    placement: 'together',
  })
  const { id } = await running.client(orders, user).place(order('tok_ok'), { key: 'away' })
  await until(running, id, 'reserved')
  for (let turn = 0; turn < 300; turn++) await env.advance(50)
  expect(await running.client(orders, user).order({ id })).toMatchObject({ status: 'reserved' })
  away = false
  await until(running, id, 'confirmed', 'cancelled')
  expect(await finalOrder(running, user, id)).toMatchObject({ status: 'confirmed' })
  await running.end({ keepServer: true })
}, 60_000)

test('messages that all come once more change nothing', async () => {
  const first = await start()
  for (const [key, token] of [
    ['again-1', 'tok_ok'],
    ['again-2', 'tok_declined'],
  ] as const) {
    const { id } = await first.client(orders, user).place(order(token), { key })
    await until(first, id, 'confirmed', 'cancelled')
  }
  // Mails and counts are on their way still.
  const books = async (running: TestServices) => {
    const {
      mails: _,
      repeats: __,
      counted: ___,
      countedAmount: ____,
      ...rest
    } = await sums(running)
    return rest
  }
  const before = await books(first)
  const list = await first.client(orders, user).list({ limit: 100 })
  await first.end({ keepServer: true })
  const database = await world.server.open('orders')
  await database.transaction(async (session) =>
    session.write(`update serval_cursor set position = 0 where publisher = 'orders'`),
  )
  const second = await start()
  const store = second.stores.get('orders')
  await eventually(async () => {
    const read = await store?.subscriptions.positions({
      subscription: 'orders',
      publisher: 'orders',
    })
    return JSON.stringify(read) === JSON.stringify(await store?.log.heads())
  }, 'the end of the log')
  expect(await second.client(orders, user).list({ limit: 100 })).toEqual(list)
  expect(await books(second)).toEqual(before)
  await second.end({ keepServer: true })
}, 60_000)

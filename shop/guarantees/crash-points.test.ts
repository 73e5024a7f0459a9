import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { dieAt, eventually, recordPoints, type CrashPoints, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { orders } from '../orders/contract.ts'
import { finalOrder, newCustomer, startShop, stockOf, sums, type userOf, type World } from './shop-in-test.ts'

/*
 * A process dies before and after every write of an order's way, one by one. The points are those that a clean run passes. After each death a new
 * process starts on the same database, the customer repeats the request under the same key, and the same things must be true as if nothing had happened.
 */

let world: World
let user: ReturnType<typeof userOf>
const stock = 1_000_000

beforeAll(async () => {
  world = { server: pglite({}), mail: mailbox({}) }
  const first = await startShop(world)
  user = await newCustomer(first, 'crash')
  await stockOf(first, [{ sku: 'A', onHand: stock }, { sku: 'B', onHand: stock }])
  await first.end({ keepServer: true })
}, 60_000)
afterAll(() => world.server.close())

/** Counts only while an order is on its way. */
const armed = (points: CrashPoints): CrashPoints & { arm(): void } => {
  let on = false
  return {
    arm: () => void (on = true),
    get dead() {
      return points.dead
    },
    pass: (point) => {
      if (on || points.dead) points.pass(point)
    },
  }
}

const place = (running: TestServices, key: string, token: string) =>
  running
    .client(orders, user)
    .place({ lines: [{ sku: 'A', quantity: 2 }, { sku: 'B', quantity: 1 }], payment: { token } }, { key })

/** The order is final, and its mail is out: nothing of it is left to do. */
const atRest = async (running: TestServices, id: string, mailsBefore: number) => {
  const order = await finalOrder(running, user, id)
  await eventually(async () => (await sums(running)).mails > mailsBefore, 'the mail')
  const cursors = running.stores.get('notifications')
  await eventually(async () => {
    const heads = await running.stores.get('orders')?.log.heads()
    const read = await cursors?.subscriptions.positions({ subscription: 'notifications', publisher: 'orders' })
    return JSON.stringify(heads) === JSON.stringify(read)
  }, 'the last cursor')
  return order
}

const cleanRun = async (key: string, token: string): Promise<readonly string[]> => {
  const record = recordPoints()
  const points = armed(record)
  const running = await startShop(world, points)
  const before = await sums(running)
  points.arm()
  const { id } = await place(running, key, token)
  await atRest(running, id, before.mails)
  await running.end({ keepServer: true })
  return record.points
}

describe.each([
  { token: 'tok_ok', ending: 'confirmed' },
  { token: 'tok_declined', ending: 'cancelled' },
])('an order with $token', ({ token, ending }) => {
  test('is the same after a crash before or after any of its writes', async () => {
    const recorded = await cleanRun(`clean-${token}`, token)
    const again = await cleanRun(`clean-${token}-2`, token)
    expect(again.toSorted()).toEqual(recorded.toSorted())
    expect(recorded.length).toBeGreaterThan(40)
    const died: string[] = []
    let running = await startShop(world)
    let before = await sums(running)
    await running.end({ keepServer: true })
    for (let at = 0; at < recorded.length; at++) {
      const key = `${token}-${at}`
      const life = dieAt(at)
      const points = armed(life)
      const doomed = await startShop(world, points)
      points.arm()
      const acknowledged = await place(doomed, key, token).catch(() => undefined)
      await eventually(() => life.dead, `the death at point ${at}`)
      died.push(life.diedAt ?? 'never')
      await doomed.end({ keepServer: true })

      running = await startShop(world)
      const order = await place(running, key, token)
      if (acknowledged !== undefined) expect(order).toEqual(acknowledged)
      const final = await atRest(running, order.id, before.mails)
      const after = await sums(running)
      const where = `died ${life.diedAt}`
      expect(final.status, where).toBe(ending)
      expect(after.orders, where).toBe(before.orders + 1)
      expect(after.captured, where).toBe(after.confirmedAmount)
      expect(after.charged, where).toBe(after.captured + after.refunded)
      expect(after.doubled, where).toBe(0)
      expect(after.reserved, where).toBe(0)
      expect(after.reservations.held, where).toBe(0)
      expect(after.negative, where).toBe(0)
      expect(after.onHand, where).toBe(2 * stock - 3 * after.confirmed)
      expect(after.mails, where).toBe(before.mails + 1)
      await running.end({ keepServer: true })
      before = after
    }
    expect(died.length).toBe(recorded.length)
    expect(died.toSorted()).toEqual(recorded.toSorted())
    console.info(`${token}: ${died.length} crash points tried of ${recorded.length} recorded`)
  }, 120_000)
})

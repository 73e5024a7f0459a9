import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import {
  dieAt,
  eventually,
  recordPoints,
  type CrashPoints,
  type TestServices,
} from 'serval/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { orders } from '../orders/contract.ts'
import {
  finalOrder,
  newCustomer,
  startShop,
  stockOf,
  sums,
  type userOf,
  type World,
} from './shop-in-test.suite.ts'

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
  await stockOf(first, [
    { sku: 'A', onHand: stock },
    { sku: 'B', onHand: stock },
  ])
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
  running.client(orders, user).place(
    {
      lines: [
        { sku: 'A', quantity: 2 },
        { sku: 'B', quantity: 1 },
      ],
      payment: { token },
    },
    { key },
  )

/** The order is final, its mail is out and it is counted: nothing of it is left to do. */
const atRest = async (running: TestServices, id: string, mailsBefore: number) => {
  const order = await finalOrder(running, user, id)
  await eventually(async () => (await sums(running)).mails > mailsBefore, 'the mail')
  for (const subscription of ['notifications', 'analytics'])
    await eventually(async () => {
      const heads = await running.stores.get('orders')?.log.heads()
      const read = await running.stores
        .get(subscription)
        ?.subscriptions.positions({ subscription, publisher: 'orders' })
      return JSON.stringify(heads) === JSON.stringify(read)
    }, `the last cursor of ${subscription}`)
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

/**
 * Steps that happen to commit as one make a run with fewer points: the record is what two runs agree on. On a machine so busy that a message is set
 * aside for its slowness, a run has points that another one does not reach.
 */
const recordedTwice = async (token: string): Promise<readonly string[]> => {
  let last: readonly string[] = []
  for (let run = 0; run < 20; run++) {
    const points = await cleanRun(`clean-${token}-${run}`, token)
    if (points.some((point) => point.includes('serval_held'))) continue
    if (JSON.stringify(points.toSorted()) === JSON.stringify(last.toSorted())) return points
    last = points
  }
  throw new Error('no two clean runs agreed on their points')
}

/** Runs orders until a process dies at the point, and answers the key of the order that it died on. */
const dieAtPoint = async (point: string, token: string) => {
  for (let attempt = 0; attempt < 10; attempt++) {
    const key = `${token} ${point} ${attempt}`
    const life = dieAt(point)
    const points = armed(life)
    const doomed = await startShop(world, points)
    const before = await sums(doomed)
    points.arm()
    const acknowledged = await place(doomed, key, token).catch(() => undefined)
    const rest =
      acknowledged && atRest(doomed, acknowledged.id, before.mails).catch(() => undefined)
    await Promise.race([
      eventually(() => life.dead, `the death ${point}`).catch(() => undefined),
      rest,
    ])
    await doomed.end({ keepServer: true })
    if (life.dead) return { key, acknowledged, before }
  }
  throw new Error(`no process reached ${point}`)
}

describe.each([
  { token: 'tok_ok', ending: 'confirmed' },
  { token: 'tok_declined', ending: 'cancelled' },
])('an order with $token', ({ token, ending }) => {
  test('is the same after a crash before or after any of its writes', async () => {
    const recorded = await recordedTwice(token)
    expect(recorded.length).toBeGreaterThan(40)
    const tried: string[] = []
    for (const point of recorded) {
      const { key, acknowledged, before } = await dieAtPoint(point, token)
      tried.push(point)
      const running = await startShop(world)
      const order = await place(running, key, token)
      if (acknowledged !== undefined) expect(order).toEqual(acknowledged)
      const final = await atRest(running, order.id, before.mails)
      const after = await sums(running)
      const where = `died ${point}`
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
      expect(after.counted, where).toBe(after.confirmed)
      expect(after.countedAmount, where).toBe(after.confirmedAmount)
      await running.end({ keepServer: true })
    }
    expect(tried).toEqual(recorded)
    console.info(`${token}: ${tried.length} crash points tried of ${recorded.length} recorded`)
  }, 120_000)
})

import { setTimeout as pause } from 'node:timers/promises'
import { inParallel } from './in-parallel.ts'
import type { Ledger, Placed } from './ledger.ts'

export interface Finding {
  readonly what: string
  readonly expected: string | number
  readonly found: string | number
  readonly ok: boolean
}

interface Money {
  readonly amount: number
}
interface Order {
  readonly id: string
  readonly status: string
  readonly reason?: string
}

const settledWithinMs = 120_000
/** Orders that are sent again after the end: each must get its first answer. */
const askedAgain = 500
const atOnce = 8

const sum = (amounts: readonly Money[]) => amounts.reduce((all, { amount }) => all + amount, 0)

/** What the shop says of itself. */
const books = (ledger: Ledger) => {
  const { world } = ledger
  const operator = async <T>(path: string): Promise<T> => {
    for (let tries = 0; ; tries++) {
      const reply = await world.operate(`GET /operator/v1/${path}`).catch(() => undefined)
      if (reply?.status === 200) return reply.json<T>()
      if (tries === 300) throw new Error(`the operator’s ${path}: ${reply?.status} ${reply?.text}`)
      await pause(100)
    }
  }
  return {
    orders: () =>
      operator<{ statuses: { status: string; orders: number; amounts: Money[] }[] }>('orders'),
    payments: () => operator<Record<'captured' | 'refunded', { amounts: Money[] }>>('payments'),
    acquirer: () => operator<{ charged: Money[]; charges: number; doubled: number }>('acquirer'),
    inventory: () =>
      operator<{ reserved: number; negative: number; reservations: { held: number } }>('inventory'),
    notifications: () =>
      operator<{ sent: { kind: string; notifications: number }[] }>('notifications'),
    analytics: () => operator<{ orders: number; revenue: Money[] }>('analytics'),
  }
}
type Books = ReturnType<typeof books>

const counts = async (shop: Books) => {
  const [orders, notifications, analytics] = await Promise.all([
    shop.orders(),
    shop.notifications(),
    shop.analytics(),
  ])
  const of = (status: RegExp) => {
    const rows = orders.statuses.filter((row) => status.test(row.status))
    return {
      orders: rows.reduce((all, row) => all + row.orders, 0),
      amount: rows.reduce((all, row) => all + sum(row.amounts), 0),
    }
  }
  const mails = (kind: RegExp) =>
    notifications.sent
      .filter((row) => kind.test(row.kind))
      .reduce((all, row) => all + row.notifications, 0)
  return { all: of(/./), confirmed: of(/^confirmed$/), cancelled: of(/^cancelled$/), mails, analytics } // prettier-ignore
}

/** Waits until every order has come to its end, is told of and counted; answers how long that took. */
const settle = async (shop: Books): Promise<number | undefined> => {
  const begun = performance.now()
  while (performance.now() - begun < settledWithinMs) {
    const { all, confirmed, cancelled, mails, analytics } = await counts(shop)
    const ended = confirmed.orders + cancelled.orders === all.orders
    if (ended && mails(/^order-/) === all.orders && analytics.orders === confirmed.orders)
      return performance.now() - begun
    await pause(200)
  }
  return undefined
}

const ordersOf = async (ledger: Ledger, customer: number): Promise<Order[]> => {
  const all: Order[] = []
  let cursor: string | undefined
  do {
    const query = cursor === undefined ? '' : `&cursor=${cursor}`
    const path = `/api/v1/orders?limit=100${query}`
    const reply = await ledger.patiently({ path, headers: ledger.as(customer) })
    const page = reply.json<{ items: Order[]; next?: string }>()
    all.push(...page.items)
    cursor = page.next
  } while (cursor !== undefined)
  return all
}

/** Sends once more what was never answered: only then it is known whether it is an order. */
const answerAll = async (ledger: Ledger): Promise<number> => {
  const open = ledger.placed.filter(({ answer }) => answer === undefined)
  await inParallel(open, atOnce, async (entry) => {
    const reply = await ledger.patiently(ledger.requestOf(entry))
    if (reply.status !== 201) throw new Error(`an order was refused: ${reply.status} ${reply.text}`)
    entry.answer = { id: reply.json<{ id: string }>().id, body: reply.text }
  })
  return open.length
}

const otherAnswers = async (ledger: Ledger): Promise<number> => {
  const step = Math.max(1, Math.ceil(ledger.placed.length / askedAgain))
  const some = ledger.placed.filter((_, at) => at % step === 0)
  let other = 0
  await inParallel(some, atOnce, async (entry) => {
    const reply = await ledger.patiently(ledger.requestOf(entry))
    if (reply.text !== entry.answer?.body) other += 1
  })
  return other
}

/** Units that are not where they belong: what there was, less what was confirmed. */
const misplaced = async (ledger: Ledger, confirmed: readonly Placed[]): Promise<number> => {
  const expected = new Map(ledger.skus.map((sku) => [sku, ledger.onHand]))
  for (const { sku, quantity } of confirmed.flatMap(({ lines }) => lines))
    expected.set(sku, (expected.get(sku) ?? 0) - quantity)
  let units = 0
  for (const [sku, left] of expected) {
    const reply = await ledger.patiently({ path: `/api/v1/stock/${sku}` })
    units += Math.abs(left - reply.json<{ available: number }>().available)
  }
  return units
}

/** Compares every order that was acknowledged with everything that the shop knows, and the mails that came. */
export const checkBooks = async (
  ledger: Ledger,
  mails: ReadonlyMap<string, number>,
): Promise<readonly Finding[]> => {
  const findings: Finding[] = []
  const same = (what: string, expected: string | number, found: string | number) =>
    void findings.push({ what, expected, found, ok: expected === found })
  const told = (what: string, found: string | number) =>
    void findings.push({ what, expected: 'any', found, ok: true })
  const acknowledged = ledger.placed.filter(({ answer }) => answer !== undefined)
  await ledger.signInAgain()
  const resent = await answerAll(ledger)
  const shop = books(ledger)
  const took = await settle(shop)
  told('orders acknowledged at once', acknowledged.length)
  told('orders sent again until they were answered', resent)
  findings.push({
    what: 'every order at its end, mailed and counted',
    expected: `within ${settledWithinMs / 1_000} s`,
    found: took === undefined ? 'never' : `after ${(took / 1_000).toFixed(1)} s`,
    ok: took !== undefined,
  })

  const byCustomer = Map.groupBy(ledger.placed, ({ customer }) => customer)
  const confirmed: Placed[] = []
  const lost: Placed[] = []
  let unended = 0
  for (const [customer, entries] of byCustomer) {
    const orders = new Map((await ordersOf(ledger, customer)).map((one) => [one.id, one]))
    for (const entry of entries) {
      const order = orders.get(entry.answer?.id ?? '')
      if (order === undefined) lost.push(entry)
      else if (order.status === 'confirmed') confirmed.push(entry)
      else if (order.reason === undefined) unended += 1
    }
  }
  const ids = new Set(ledger.placed.map(({ answer }) => answer?.id))
  const now = await counts(shop)
  same('acknowledged orders lost', 0, lost.length)
  same('orders neither confirmed nor cancelled with a reason', 0, unended)
  same('orders: one for each key', ledger.placed.length, ids.size)
  same('orders in the shop', ledger.placed.length, now.all.orders)
  told('orders cancelled, with a reason', now.cancelled.orders)
  same('keys that do not repeat their bytes', 0, await otherAnswers(ledger))

  const [payments, acquirer, stock] = await Promise.all([
    shop.payments(),
    shop.acquirer(),
    shop.inventory(),
  ])
  same('money captured = confirmed', now.confirmed.amount, sum(payments.captured.amounts))
  same(
    'money charged by the acquirer',
    sum(payments.captured.amounts) + sum(payments.refunded.amounts),
    sum(acquirer.charged),
  )
  same('orders charged twice', 0, acquirer.doubled)
  same('reservations neither committed nor released', 0, stock.reservations.held)
  same('units still reserved', 0, stock.reserved)
  same('SKUs below zero', 0, stock.negative)
  same('units that are not where they belong', 0, await misplaced(ledger, confirmed))
  same('orders in the sales', now.confirmed.orders, now.analytics.orders)
  same('money in the sales', now.confirmed.amount, sum(now.analytics.revenue))
  same('mails noted (one an order)', now.all.orders, now.mails(/^order-/))
  same('mails that came, by Message-ID', now.mails(/./), mails.size)
  told(
    'mails that came again, with the same Message-ID',
    [...mails.values()].reduce((all, times) => all + times - 1, 0),
  )
  return findings
}

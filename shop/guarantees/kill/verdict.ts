import { setTimeout as pause } from 'node:timers/promises'
import type { Plan } from '../../replay/plan.ts'
import type { Customers } from './customers.ts'

export interface Finding {
  readonly what: string
  readonly expected: string | number
  readonly found: string | number
  readonly ok: boolean
}

interface Money {
  readonly amount: number
  readonly currency: string
}
interface OrdersAudit {
  readonly statuses: readonly {
    readonly status: string
    readonly orders: number
    readonly amounts: readonly Money[]
  }[]
}
interface Order {
  readonly id: string
  readonly status: string
  readonly reason?: string
}

interface SentAudit {
  readonly sent: readonly { readonly kind: string; readonly notifications: number }[]
}

/** Of mails about orders, and of the others: those that ask new customers to confirm their address. */
const sentMails = ({ sent }: SentAudit) => {
  const count = (rows: SentAudit['sent']) =>
    rows.reduce((total, row) => total + row.notifications, 0)
  const [orders, others] = [
    sent.filter(({ kind }) => kind.startsWith('order-')),
    sent.filter(({ kind }) => !kind.startsWith('order-')),
  ]
  return { orders: count(orders), others: count(others) }
}

const sum = (amounts: readonly Money[]) => amounts.reduce((total, { amount }) => total + amount, 0)

/** Waits until nothing is on its way any more. */
const settled = async (customers: Customers): Promise<OrdersAudit> => {
  for (let attempt = 0; attempt < 1_200; attempt++) {
    const audit = await customers.operator<OrdersAudit>('/operator/v1/orders')
    const sent = await customers.operator<SentAudit>('/operator/v1/notifications')
    const orders = audit.statuses.reduce((total, row) => total + row.orders, 0)
    const told = sentMails(sent).orders
    if (
      audit.statuses.every((row) => row.status === 'confirmed' || row.status === 'cancelled') &&
      told === orders
    )
      return audit
    await pause(100)
  }
  throw new Error('some orders did not come to an end within two minutes')
}

const ordersOf = async (customers: Customers, customer: string): Promise<Order[]> => {
  const all: Order[] = []
  let cursor: string | undefined
  do {
    const query = cursor === undefined ? '' : `&cursor=${cursor}`
    const { body } = await customers.as(customer, 'GET', `/api/v1/orders?limit=100${query}`)
    const page = JSON.parse(body) as { items: Order[]; next?: string }
    all.push(...page.items)
    cursor = page.next
  } while (cursor !== undefined)
  return all
}

/** Compares the ledger of acknowledgements with everything that the shop knows. */
export const verdict = async (customers: Customers, plan: Plan): Promise<readonly Finding[]> => {
  const findings: Finding[] = []
  const same = (what: string, expected: string | number, found: string | number) =>
    void findings.push({ what, expected, found, ok: expected === found })
  const audit = await settled(customers)
  const { ledger } = customers

  const byCustomer = Map.groupBy(ledger, (entry) => entry.customer)
  let lost = 0
  let unended = 0
  let found = 0
  for (const [customer, entries] of byCustomer) {
    const orders = new Map((await ordersOf(customers, customer)).map((order) => [order.id, order]))
    found += orders.size
    for (const entry of entries) {
      const order = orders.get(entry.id)
      if (order === undefined) lost += 1
      else if (order.status !== 'confirmed' && order.reason === undefined) unended += 1
    }
  }
  same('orders acknowledged', plan.orders.length, ledger.length)
  same('acknowledged orders lost', 0, lost)
  same('orders that nobody was told of', 0, found - ledger.length)
  same('orders doubled', 0, ledger.length - new Set(ledger.map((entry) => entry.id)).size)
  same('orders neither confirmed nor cancelled with a reason', 0, unended)

  let otherBytes = 0
  for (const entry of ledger) {
    const reply = await customers.as(entry.customer, 'POST', '/api/v1/orders', {
      key: entry.key,
      body: entry.request,
    })
    if (reply.status !== 201 || reply.body !== entry.body) otherBytes += 1
  }
  same('keys that do not repeat their bytes', 0, otherBytes)

  const money =
    await customers.operator<Record<'captured' | 'refunded', { amounts: readonly Money[] }>>(
      '/operator/v1/payments',
    )
  const acquirer = await customers.operator<{
    charged: readonly Money[]
    doubled: number
    charges: number
  }>('/operator/v1/acquirer')
  const stock = await customers.operator<{
    onHand: number
    reserved: number
    negative: number
    reservations: { held: number }
  }>('/operator/v1/inventory')
  const mails = await customers.operator<
    SentAudit & { mailbox: { mails: number; repeats: number } }
  >('/operator/v1/notifications')
  const confirmed = audit.statuses.filter((row) => row.status === 'confirmed')
  const confirmedCount = confirmed.reduce((total, row) => total + row.orders, 0)
  same('orders confirmed', plan.orders.length, confirmedCount)
  same(
    'money of confirmed orders, as the file says',
    plan.orders.reduce((total, order) => total + order.totalMinor, 0),
    confirmed.reduce((total, row) => total + sum(row.amounts), 0),
  )
  same(
    'money captured = confirmed',
    confirmed.reduce((total, row) => total + sum(row.amounts), 0),
    sum(money.captured.amounts),
  )
  same(
    'money charged by the acquirer',
    sum(money.captured.amounts) + sum(money.refunded.amounts),
    sum(acquirer.charged),
  )
  same('orders charged twice', 0, acquirer.doubled)
  same('reservations neither committed nor released', 0, stock.reservations.held)
  same('units still reserved', 0, stock.reserved)
  same('SKUs below zero', 0, stock.negative)
  let left = 0
  for (const { sku } of plan.products) {
    const { body } = await customers.as(
      ledger[0]?.customer ?? '',
      'GET',
      `/api/v1/stock/${encodeURIComponent(sku)}`,
    )
    if ((JSON.parse(body) as { available: number }).available !== 0) left += 1
  }
  same('SKUs of the plan whose stock is not 0', 0, left)
  const { others } = sentMails(mails)
  same('mails (one an order)', ledger.length, mails.mailbox.mails - others)
  findings.push({
    what: 'repeated mails that the mailbox dropped',
    expected: 'any',
    found: mails.mailbox.repeats,
    ok: true,
  })
  return findings
}

import { expect, test } from 'vitest'
import type { Books } from './books.ts'
import { checksOf, type Facts } from './checks.ts'
import type { PlannedOrder } from './plan.ts'
import type { Outcome } from './verify.ts'

const books: Books = {
  confirmed: 10,
  confirmedMinor: 5_000,
  cancelled: 2,
  open: 0,
  byReason: { 'out-of-stock': 2, 'payment-declined': 0 },
  captured: 10,
  capturedMinor: 5_000,
  refunded: 1,
  refundedMinor: 70,
  charges: 11,
  chargedMinor: 5_070,
  refunds: 1,
  doubled: 0,
  negative: 0,
  reserved: 3,
  mailsConfirmed: 10,
  mailsCancelled: 2,
  mailsOther: 0,
  mailbox: 12,
  parked: 1,
}

const order = (invoice: string, quantity: number): PlannedOrder => ({
  invoice,
  at: 0,
  customer: { email: 'a@replay.test', name: 'A' },
  lines: [{ sku: 'A', quantity }],
  totalMinor: quantity * 10,
})

const outcome = (planned: PlannedOrder, more: Partial<Outcome> = {}): Outcome => ({
  order: planned,
  status: 'confirmed',
  reason: undefined,
  refunded: false,
  totalAgrees: true,
  linesAgree: true,
  mails: 1,
  toMailMs: 5,
  ...more,
})

/** One order of 4 units confirmed, one of 2 cancelled, on top of what was there. */
const facts: Facts = {
  products: [{ sku: 'A', name: 'A', priceMinor: 10, quantity: 6 }],
  accepted: 2,
  fresh: [
    outcome(order('1', 4)),
    outcome(order('2', 2), { status: 'cancelled', reason: 'payment-declined' }),
  ],
  earlier: [],
  before: books,
  after: {
    ...books,
    confirmed: 11,
    confirmedMinor: 5_040,
    cancelled: 3,
    byReason: { 'out-of-stock': 2, 'payment-declined': 1 },
    captured: 11,
    capturedMinor: 5_040,
    charges: 12,
    chargedMinor: 5_110,
    mailsConfirmed: 11,
    mailsCancelled: 3,
    mailbox: 14,
  },
  stock: new Map([['A', 2]]),
  repeats: { asked: 2, same: 2 },
}

const failed = (changed: Partial<Facts>) =>
  checksOf({ ...facts, ...changed })
    .filter(({ ok }) => !ok)
    .map(({ name, expected, actual }) => [name, expected, actual])

test('sums that agree with what was there before pass', () => {
  expect(failed({})).toEqual([])
  expect(checksOf(facts).length).toBeGreaterThan(20)
})

test('orders of an earlier run of the same id are looked at, and not expected in the growth', () => {
  expect(failed({ accepted: 3, earlier: [outcome(order('0', 5))] })).toEqual([])
  expect(failed({ accepted: 3, earlier: [outcome(order('0', 5), { mails: 2 })] })).toEqual([
    ['orders with other than one mail', 0, 1],
  ])
})

test.each<[string, Partial<Facts>, readonly unknown[]]>([
  [
    'a penny too much',
    { after: { ...facts.after, capturedMinor: 5_041 } },
    ['payments: sum captured', 40, 41],
  ],
  ['a lost order', { accepted: 3 }, ['accepted orders, found with their customers', 3, 2]],
  [
    'a double charge',
    { after: { ...facts.after, doubled: 1 } },
    ['acquirer: orders charged twice', 0, 1],
  ],
  [
    'a unit too many',
    { stock: new Map([['A', 3]]) },
    ['inventory: units that are not set − confirmed', 0, 1],
  ],
  [
    'a mail too few',
    { after: { ...facts.after, mailsConfirmed: 10 } },
    ['notifications: order-confirmed', 1, 0],
  ],
  ['another reply', { repeats: { asked: 2, same: 1 } }, ['repeats answered byte for byte', 2, 1]],
  ['a parked message', { after: { ...facts.after, parked: 2 } }, ['parked messages', 0, 1]],
])('%s fails its check', (_, changed, expected) => {
  expect(failed(changed)).toContainEqual(expected)
})

test('an order that is not final fails, and so does one cancelled without a reason', () => {
  const [first, second] = facts.fresh
  const name = 'accepted orders, confirmed or cancelled with a reason'
  for (const status of ['paid', 'cancelled'])
    expect(failed({ fresh: [first!, { ...second!, status, reason: undefined }] })).toContainEqual([
      name,
      2,
      1,
    ])
})

test('with mail going elsewhere, the mailbox is not checked', () => {
  const after = { ...facts.after, mailbox: undefined }
  expect(checksOf({ ...facts, after }).some(({ name }) => name.includes('mailbox'))).toBe(false)
})

import type { Books } from './books.ts'
import type { PlannedProduct } from './plan.ts'
import type { Outcome } from './verify.ts'

export interface Check {
  readonly name: string
  readonly expected: number
  readonly actual: number
  readonly ok: boolean
  readonly unit: 'count' | 'pence'
}

/** Everything that the sums are checked with. */
export interface Facts {
  readonly products: readonly PlannedProduct[]
  readonly accepted: number
  /** Of the orders that this run placed. */
  readonly fresh: readonly Outcome[]
  /** Of orders that an earlier, interrupted run under the same id had placed. */
  readonly earlier: readonly Outcome[]
  readonly before: Books
  readonly after: Books
  readonly stock: ReadonlyMap<string, number>
  readonly repeats: { readonly asked: number; readonly same: number }
}

const check = (
  name: string,
  expected: number,
  actual: number,
  unit: Check['unit'] = 'count',
): Check => ({ name, expected, actual, ok: expected === actual, unit })

const pence = (outcomes: readonly Outcome[]) =>
  outcomes.reduce((sum, { order }) => sum + order.totalMinor, 0)

/** How many units are not where the file says: what was set, less what was confirmed since. */
const misplacedUnits = ({ products, fresh, stock }: Facts): number => {
  const expected = new Map(products.map(({ sku, quantity }) => [sku, quantity]))
  for (const { order, status } of fresh)
    if (status === 'confirmed')
      for (const { sku, quantity } of order.lines)
        expected.set(sku, (expected.get(sku) ?? 0) - quantity)
  return [...expected].reduce(
    (sum, [sku, units]) => sum + Math.abs(units - (stock.get(sku) ?? Number.POSITIVE_INFINITY)),
    0,
  )
}

/** Compares what was asked for with what the shop and each of its services say. Amounts come from the file alone. */
export const checksOf = (facts: Facts): Check[] => {
  const { fresh, earlier, before, after } = facts
  const all = [...fresh, ...earlier]
  const confirmed = fresh.filter(({ status }) => status === 'confirmed')
  const cancelled = fresh.filter(({ status, reason }) => status === 'cancelled' && reason)
  const refunded = cancelled.filter((outcome) => outcome.refunded)
  const final = all.filter(
    ({ status, reason }) => status === 'confirmed' || (status === 'cancelled' && reason),
  )
  const grown = (key: Exclude<keyof Books, 'byReason' | 'mailbox'>) => after[key] - before[key]
  const reasons = Object.keys(after.byReason).filter(
    (reason) =>
      after.byReason[reason] !== before.byReason[reason] ||
      cancelled.some((outcome) => outcome.reason === reason),
  )
  const takings = pence(confirmed)
  const mailbox =
    before.mailbox === undefined || after.mailbox === undefined
      ? []
      : [
          check(
            'mails in the mailbox',
            fresh.length + grown('mailsOther'),
            after.mailbox - before.mailbox,
          ),
        ]
  return [
    check('accepted orders, found with their customers', facts.accepted, all.length),
    check('accepted orders, confirmed or cancelled with a reason', facts.accepted, final.length),
    check(
      'order totals that are not price × quantity',
      0,
      all.filter((o) => !o.totalAgrees).length,
    ),
    check('orders whose lines are not the file’s', 0, all.filter((o) => !o.linesAgree).length),
    check('orders: confirmed', confirmed.length, grown('confirmed')),
    check('orders: cancelled', cancelled.length, grown('cancelled')),
    ...reasons.map((reason) =>
      check(
        `orders: cancelled, ${reason}`,
        cancelled.filter((outcome) => outcome.reason === reason).length,
        (after.byReason[reason] ?? 0) - (before.byReason[reason] ?? 0),
      ),
    ),
    check('orders: under way', 0, after.open),
    check('orders: sum of confirmed totals', takings, grown('confirmedMinor'), 'pence'),
    check('payments: captured', confirmed.length, grown('captured')),
    check('payments: sum captured', takings, grown('capturedMinor'), 'pence'),
    check('payments: refunded', refunded.length, grown('refunded')),
    check('payments: sum refunded', pence(refunded), grown('refundedMinor'), 'pence'),
    check('acquirer: charges', confirmed.length + refunded.length, grown('charges')),
    check('acquirer: sum charged', takings + pence(refunded), grown('chargedMinor'), 'pence'),
    check('acquirer: refunds', refunded.length, grown('refunds')),
    check('acquirer: orders charged twice', 0, after.doubled),
    check('inventory: SKUs below zero', 0, after.negative),
    check('inventory: units still reserved', 0, grown('reserved')),
    check('inventory: units that are not set − confirmed', 0, misplacedUnits(facts)),
    check('notifications: order-confirmed', confirmed.length, grown('mailsConfirmed')),
    check('notifications: order-cancelled', cancelled.length, grown('mailsCancelled')),
    check('orders with other than one mail', 0, all.filter(({ mails }) => mails !== 1).length),
    ...mailbox,
    check('parked messages', 0, grown('parked')),
    check('repeats answered byte for byte', facts.repeats.asked, facts.repeats.same),
  ]
}

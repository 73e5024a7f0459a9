import type { OutputOf } from 'serval'
import type { Money } from '../money.ts'
import { reasons, type orders as ordersContract } from '../orders/contract.ts'
import type { Shop } from './client.ts'
import type { Patiently } from './patience.ts'

/** What the services say of themselves at one moment, in counts and in pence. */
export interface Books {
  readonly confirmed: number
  readonly confirmedMinor: number
  readonly cancelled: number
  /** Not in a final state. */
  readonly open: number
  readonly byReason: Readonly<Record<string, number>>
  readonly captured: number
  readonly capturedMinor: number
  readonly refunded: number
  readonly refundedMinor: number
  readonly charges: number
  readonly chargedMinor: number
  readonly refunds: number
  readonly doubled: number
  readonly negative: number
  readonly reserved: number
  readonly mailsConfirmed: number
  readonly mailsCancelled: number
  /** About accounts, such as those that ask new customers to confirm their address. */
  readonly mailsOther: number
  /** What the embedded mailbox holds; undefined when mail goes elsewhere. */
  readonly mailbox: number | undefined
  readonly parked: number
}

const pence = (amounts: readonly Money[]) =>
  amounts.reduce((sum, { amount, currency }) => (currency === 'GBP' ? sum + amount : sum), 0)

type OrdersAudit = OutputOf<typeof ordersContract.operations.audit>

/** Orders per state, in few words. */
export const orderCounts = ({ statuses }: OrdersAudit) => {
  const of = (status: string) => statuses.filter((sum) => sum.status === status)
  const count = (sums: OrdersAudit['statuses']) => sums.reduce((sum, one) => sum + one.orders, 0)
  const confirmed = count(of('confirmed'))
  const cancelled = count(of('cancelled'))
  return {
    confirmed,
    confirmedMinor: pence(of('confirmed').flatMap((sum) => sum.amounts)),
    cancelled,
    open: count(statuses) - confirmed - cancelled,
    byReason: Object.fromEntries(
      reasons.map((reason) => [
        reason,
        count(of('cancelled').filter((sum) => sum.reason === reason)),
      ]),
    ),
  }
}

export const readBooks = async ({ operator }: Shop, patiently: Patiently): Promise<Books> => {
  const [orders, payments, acquirer, inventory, notifications, parked] = await Promise.all([
    patiently(() => operator.orders.audit({})),
    patiently(() => operator.payments.audit({})),
    patiently(() => operator.acquirer.audit({})),
    patiently(() => operator.inventory.audit({})),
    patiently(() => operator.notifications.audit({})),
    patiently(() => operator.control.parked({})),
  ])
  const mails = (kind: string) =>
    notifications.sent.find((sent) => sent.kind === kind)?.notifications ?? 0
  return {
    ...orderCounts(orders),
    captured: payments.captured.payments,
    capturedMinor: pence(payments.captured.amounts),
    refunded: payments.refunded.payments,
    refundedMinor: pence(payments.refunded.amounts),
    charges: acquirer.charges,
    chargedMinor: pence(acquirer.charged),
    refunds: acquirer.refunds,
    doubled: acquirer.doubled,
    negative: inventory.negative,
    reserved: inventory.reserved,
    mailsConfirmed: mails('order-confirmed'),
    mailsCancelled: mails('order-cancelled'),
    mailsOther: notifications.sent.reduce(
      (sum, sent) => (sent.kind.startsWith('order-') ? sum : sum + sent.notifications),
      0,
    ),
    mailbox: notifications.mailbox?.mails,
    parked: parked.items.length,
  }
}

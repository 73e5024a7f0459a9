import type { Money } from '../money.ts'
import { PaymentDeclined, PaymentRefused } from './contract.ts'

/*
 * One payment per order. Who comes second is refused by what the first has left:
 *
 *   none ──capture──▶ captured ──refund──▶ refunded
 *     │──capture──▶ declined ──refund──▶ refunded
 *     └──refund──▶ refunded
 *
 * Two captures may run at once and hear different answers from the acquirer: money that was taken outweighs a decline.
 */

export type Payment =
  | { readonly status: 'captured'; readonly reference: string; readonly amount: Money }
  | { readonly status: 'declined' }
  /** `refunded` says whether money went back; without, it only refuses a later capture. */
  | { readonly status: 'refunded'; readonly refunded: boolean }

/** What a capture of the acquirer's outcome records. */
export type Captured = Exclude<Payment, { readonly status: 'refunded' }>

/** What a capture answers, the first time and each time it is repeated. */
export const captureAnswer = (payment: Payment): { reference: string } => {
  if (payment.status === 'captured') return { reference: payment.reference }
  throw payment.status === 'declined' ? PaymentDeclined(undefined) : PaymentRefused(undefined)
}

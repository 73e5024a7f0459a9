import { repository } from 'serval'
import type { Money } from '../money.ts'
import type { Captured, Payment } from './payment.ts'

export interface Sum {
  readonly payments: number
  readonly amounts: readonly Money[]
}

export interface PaymentRepository {
  find(orderId: string): Promise<Payment | undefined>
  /** Records the first outcome of a capture; when there is one, the step runs again. */
  add(orderId: string, outcome: Captured, at: string): void
  /** Records a capture's outcome, unless the order was captured or refunded before. Answers the payment as it then is. */
  record(orderId: string, outcome: Captured, at: string): Promise<Payment>
  /** Makes the payment refunded, for good. Answers whether money went back, now or before. */
  refund(
    orderId: string,
    refund: { readonly refunded: boolean; readonly amount: Money | undefined },
    at: string,
  ): Promise<boolean>
  /** Money that was kept, and money that went back. */
  sums(): Promise<{ readonly captured: Sum; readonly refunded: Sum }>
}

export const payments = repository<PaymentRepository>({
  scope: 'aggregate',
  engines: { sql: async () => (await import('./repositories/sql.ts')).paymentsOnSql },
})

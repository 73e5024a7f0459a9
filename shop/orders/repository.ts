import { repository } from 'serval'
import type { Money } from '../money.ts'
import type { OrderRecord, OrderState } from './order.ts'

export interface OrderSum {
  readonly status: OrderState['status']
  readonly reason: string | undefined
  readonly orders: number
  /** Of one currency. */
  readonly amounts: readonly Money[]
}

export interface Orders {
  insert(order: OrderRecord): void
  load(id: string): Promise<OrderRecord | undefined>
  /** Saves what `load` answered and a transition changed; runs the step again when another saved it meanwhile. */
  save(order: OrderRecord): void
  /** A customer's orders, newest first, those before the order `before`. */
  list(of: {
    readonly customerId: string
    readonly status?: string | undefined
    readonly before?: string | undefined
    readonly limit: number
  }): Promise<readonly OrderRecord[]>
  sums(): Promise<readonly OrderSum[]>
}

export const orderRepository = repository<Orders>({
  scope: 'aggregate',
  engines: { sql: async () => (await import('./repositories/sql.ts')).orders },
})

import { repository } from 'serval'
import type { Money } from '../money.ts'
import type { Change } from './history.ts'
import type { CancelReason, OrderRecord, OrderState } from './order.ts'

export interface OrderSum {
  readonly status: OrderState['status']
  readonly reason: CancelReason | undefined
  readonly orders: number
  /** Of one currency. */
  readonly amounts: readonly Money[]
}

export interface Orders {
  /** Adds an order that was just placed. */
  insert(order: OrderRecord): void
  load(id: string): Promise<OrderRecord | undefined>
  /**
   * Saves a state, and notes the change that led to it in the history. Runs the step again when the order is not of the version before. The payment token goes
   * when the state needs it no more.
   */
  save(order: Pick<OrderRecord, 'id' | 'state' | 'version'>, change: Change): void
  /** Orders, newest first: those before the order `before`, of one customer and one status where they are given. */
  list(of: {
    readonly customerId?: string | undefined
    readonly status?: OrderState['status'] | undefined
    readonly before?: string | undefined
    readonly limit: number
  }): Promise<readonly OrderRecord[]>
  /** Whose an order is, and its history: what a client that follows it needs. */
  progress(
    id: string,
  ): Promise<{ readonly customerId: string; readonly history: readonly Change[] } | undefined>
  /** The first of a customer's orders after the order `after` that has an address. */
  addressed(customerId: string, after: string): Promise<string | undefined>
  /** Takes the address off an order. `save` knows nothing of it, and the version stays. */
  forgetAddress(id: string): void
  sums(): Promise<readonly OrderSum[]>
}

export const orderRepository = repository<Orders>({
  scope: 'aggregate',
  engines: { sql: async () => (await import('./repositories/sql.ts')).orders },
})

import { repository } from 'serval'
import type { Line, Reservation, StockLevel, StockMove } from './reservation.ts'

/** Sums over all stock and reservations, at one moment. */
export interface Audit {
  readonly skus: number
  readonly onHand: number
  readonly reserved: number
  /** SKUs with fewer units than none: always 0. */
  readonly negative: number
  readonly reservations: Readonly<Record<Reservation['status'], number>>
}

export interface Stock {
  find(sku: string): Promise<StockLevel | undefined>
  /**
   * Locks the SKUs that exist until the step ends, in one order for everybody, so that no two steps
   * wait for each other.
   */
  lock(skus: readonly string[]): Promise<readonly StockLevel[]>
  /** Promises units of locked SKUs. Lines: one a SKU. */
  reserve(lines: readonly Line[]): void
  /** Moves units; takes the locks itself. Lines: one a SKU. */
  move(lines: readonly Line[], move: StockMove): void
  /**
   * Sets the units on hand, adding the SKU when it is missing. The step runs again when `reserved`
   * is not what is reserved.
   */
  count(level: StockLevel): void
  /** Adds SKUs that are missing; answers how many. */
  provide(counts: readonly { readonly sku: string; readonly onHand: number }[]): Promise<number>
  audit(): Promise<Audit>
}

/** A step takes an order's lock first and stock's after it. */
export interface Reservations {
  /** Makes the reservation and answers undefined; or locks and answers the one that was there. */
  hold(reservation: Reservation): Promise<Reservation | undefined>
  lock(orderId: string): Promise<Reservation | undefined>
  /** Locks the order's reservation; when there is none, leaves the one given. */
  lockOrLeave(reservation: Reservation): Promise<Reservation>
  /** Locks held ones whose time was over at `now`, passing over those that others have locked. */
  lockExpired(now: number, limit: number): Promise<readonly Reservation[]>
  /** Sets the status of locked ones. */
  settle(orderIds: readonly string[], status: Reservation['status']): void
}

export const stockRepository = repository<Stock>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql.ts')).stock },
})

export const reservationRepository = repository<Reservations>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql.ts')).reservations },
})

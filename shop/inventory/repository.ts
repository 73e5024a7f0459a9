import { repository } from 'serval'
import type { AdjustmentRecord } from './adjustment.ts'
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
  /** Those of the SKUs that are known. */
  levels(skus: readonly string[]): Promise<readonly StockLevel[]>
  /**
   * Locks the SKUs that exist until the step ends, in one order for everybody, so that no two steps
   * wait for each other. Whatever else changes stock takes its locks in this order, too.
   */
  lock(skus: readonly string[]): Promise<readonly StockLevel[]>
  /** Promises units, as a guess: the step runs again when not all can be had. Lines: one a SKU. */
  reserve(lines: readonly Line[]): void
  /** Moves units that are known to be there. Lines: one a SKU. */
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
  /** Makes the reservation, as a guess: the step runs again when there is one. */
  add(reservation: Reservation): void
  /** Makes the reservation and answers undefined; or locks and answers the one that was there. */
  hold(reservation: Reservation): Promise<Reservation | undefined>
  find(orderId: string): Promise<Reservation | undefined>
  lock(orderId: string): Promise<Reservation | undefined>
  /** Sets the status of one that was found held, as a guess: the step runs again when it is not any more. */
  settleHeld(orderId: string, status: Reservation['status']): void
  /** Locks the order's reservation; when there is none, leaves the one given. */
  lockOrLeave(reservation: Reservation): Promise<Reservation>
  /** Locks held ones whose time was over at `now`, passing over those that others have locked. */
  lockExpired(now: number, limit: number): Promise<readonly Reservation[]>
  /** Sets the status of locked ones. */
  settle(orderIds: readonly string[], status: Reservation['status']): void
}

/** An adjustment and its place among those of its SKU. */
export interface KeptAdjustment extends AdjustmentRecord {
  /** Ascends in the order in which they took effect. */
  readonly place: number
}

export interface Adjustments {
  /** Of a SKU that the step has locked. */
  add(adjustment: AdjustmentRecord): void
  /** At most `limit` of a SKU, newest first; `before` is a place. */
  list(sku: string, before: number | undefined, limit: number): Promise<readonly KeptAdjustment[]>
}

export const stockRepository = repository<Stock>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql.ts')).stock },
})

export const reservationRepository = repository<Reservations>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql.ts')).reservations },
})

export const adjustmentRepository = repository<Adjustments>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql.ts')).adjustments },
})

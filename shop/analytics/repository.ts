import { repository } from 'serval'
import type { Money } from '../money.ts'
import type { Range } from './range.ts'

/** A confirmed order. */
export interface Sale {
  readonly orderId: string
  /** When it was confirmed, milliseconds since the epoch. */
  readonly at: number
  readonly total: Money
  /** One a SKU. */
  readonly lines: readonly {
    readonly sku: string
    readonly quantity: number
    readonly total: Money
  }[]
}

export interface Sum {
  readonly orders: number
  readonly units: number
  readonly revenue: readonly Money[]
}

export interface ProductSum {
  readonly sku: string
  readonly units: number
  readonly revenue: readonly Money[]
}

export interface Sales {
  /** Counts an order, unless it was counted before. */
  count(sale: Sale): void
  /** A sum for each of the ranges, also for those without orders. */
  sums(ranges: readonly Range[]): Promise<readonly Sum[]>
  /** By units, then by SKU. */
  topProducts(range: Range, limit: number): Promise<readonly ProductSum[]>
  all(): Promise<Sum>
}

export const saleRepository = repository<Sales>({
  scope: 'aggregate',
  engines: { sql: async () => (await import('./repositories/sql.ts')).sales },
})

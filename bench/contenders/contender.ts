import type { Database, ProductTable } from '../machine/postgres.ts'
import type { ContenderInfo } from '../samples.ts'

/** What is measured: one way to run a shop, started and reachable. */
export interface Contender extends ContenderInfo {
  readonly address: { readonly host: string; readonly port: number }
  readonly operatorKey: string
  readonly pid: number
  /** Its PostgreSQL server and where that has the products; none for embedded stores. */
  readonly store?: { readonly server: Database; readonly products: ProductTable }
  /** How many orders are confirmed, how many customers were notified of them, how many were counted for analytics. */
  carried(): Promise<Carried>
  /** Ends it and its server. */
  stop(): Promise<void>
}

export interface Carried {
  readonly confirmed: number
  readonly notified: number
  /** Undefined where it cannot be asked. */
  readonly counted: number | undefined
}

import { repository } from 'serval'
import type { Money } from '../money.ts'

/** What is known of a reference: charged, voided, both one after the other, or voided before any charge. */
export interface Charge {
  readonly chargeId: string | undefined
  readonly amount: Money | undefined
  readonly voided: boolean
}

export interface NewCharge {
  readonly reference: string
  readonly chargeId: string
  readonly amount: Money
  readonly at: string
}

export interface Statement {
  readonly charges: number
  readonly charged: readonly Money[]
  readonly refunds: number
  readonly doubled: number
}

export interface ChargeRepository {
  find(reference: string): Promise<Charge | undefined>
  /** Charges a reference for the first time; when something is known of it, the step runs again. */
  add(charge: NewCharge): Charge
  /** Charges unless the reference was charged or voided before. Answers what is then known of it. */
  charge(charge: NewCharge): Promise<Charge>
  /** Voids, and gives back what was charged; a repeat changes nothing. Answers what is then known of it. */
  void(reference: string, at: string): Promise<Charge>
  /** Counts a failure of this reference, at most `limit` of them. Answers whether it was counted. */
  countFailure(reference: string, limit: number): Promise<boolean>
  statement(): Promise<Statement>
}

export const charges = repository<ChargeRepository>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql.ts')).chargesOnSql },
})

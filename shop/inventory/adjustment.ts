import { BelowReserved, mostUnits, NoSuchStock, TooManyUnits } from './contract.ts'
import type { StockLevel } from './reservation.ts'

/** A change of a SKU's units on hand by hand. */
export interface AdjustmentRecord {
  readonly id: string
  readonly sku: string
  readonly delta: number
  readonly reason: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** The user who made it; null for a service of the system. */
  readonly by: string | null
}

/**
 * The level with `delta` units more on hand, which are never fewer than those promised. Throws
 * NoSuchStock, BelowReserved or TooManyUnits.
 */
export const adjusted = (level: StockLevel | undefined, sku: string, delta: number): StockLevel => {
  if (level === undefined) throw NoSuchStock({ sku })
  const { reserved } = level
  const onHand = level.onHand + delta
  if (onHand < reserved) throw BelowReserved({ sku, reserved })
  if (onHand > mostUnits) throw TooManyUnits({ sku, onHand: level.onHand })
  return { sku, onHand, reserved }
}

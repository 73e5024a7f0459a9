import { OutOfStock, ReservationGone } from './contract.ts'

export interface Line {
  readonly sku: string
  readonly quantity: number
}

export interface StockLevel {
  readonly sku: string
  readonly onHand: number
  /** Of the units on hand, those promised to orders. */
  readonly reserved: number
}

/**
 * An order's units: promised (`held`), gone (`committed`), or given back for good (`released`, also
 * the tombstone of an order that never held any).
 */
export interface Reservation {
  readonly orderId: string
  readonly status: 'held' | 'committed' | 'released'
  /** One a SKU. */
  readonly lines: readonly Line[]
  /** Milliseconds since the epoch; counts while held. */
  readonly expiresAt: number
}

/** What each unit of a line adds to its SKU's stock. */
export interface StockMove {
  readonly onHand: -1 | 0 | 1
  readonly reserved: -1 | 0 | 1
}

export interface Transition {
  readonly status: Reservation['status']
  readonly move: StockMove
}

const keptMs = 30 * 60_000

export const available = ({ onHand, reserved }: StockLevel): number => onHand - reserved

/** Lines of one SKU become one. A sum beyond 2^53 is rounded, and still more than any stock. */
export const summed = (lines: readonly Line[]): readonly Line[] => {
  const quantities = new Map<string, number>()
  for (const { sku, quantity } of lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity)
  return [...quantities].map(([sku, quantity]) => ({ sku, quantity }))
}

export const holding = (orderId: string, lines: readonly Line[], now: number): Reservation => ({
  orderId,
  status: 'held',
  lines: summed(lines),
  expiresAt: now + keptMs,
})

/** Throws OutOfStock unless all lines can be had. A SKU that is not known is out of stock. */
export const mustCover = (levels: readonly StockLevel[], lines: readonly Line[]): void => {
  const units = new Map(levels.map((level) => [level.sku, available(level)]))
  const lacking = lines.filter(({ sku, quantity }) => (units.get(sku) ?? 0) < quantity)
  if (lacking.length > 0) throw OutOfStock({ skus: lacking.map(({ sku }) => sku) })
}

/** Throws ReservationGone when the units were given back, or are to be as their time is over. */
export const mustStand = (reservation: Reservation | undefined, now: number): Reservation => {
  const expired = reservation?.status === 'held' && reservation.expiresAt <= now
  if (reservation === undefined || reservation.status === 'released' || expired)
    throw ReservationGone(undefined)
  return reservation
}

/** Promises units that are on hand. */
export const promising: StockMove = { onHand: 0, reserved: 1 }

/** Takes held units off the shelf. */
export const committed: Transition = { status: 'committed', move: { onHand: -1, reserved: -1 } }

/** Undefined when that was done before. */
export const committing = (reservation: Reservation): Transition | undefined =>
  reservation.status === 'held' ? committed : undefined

/** Gives units back, those of a committed order to the shelf. Undefined when done before. */
export const releasing = ({ status }: Reservation): Transition | undefined => {
  switch (status) {
    case 'held':
      return { status: 'released', move: { onHand: 0, reserved: -1 } }
    case 'committed':
      return { status: 'released', move: { onHand: 1, reserved: 0 } }
    case 'released':
      return undefined
  }
}

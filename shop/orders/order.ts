import type { z } from 'zod'
import type { QuotedLine } from '../catalog/contract.ts'
import type { Address, Order, reasons } from './contract.ts'

export type CancelReason = (typeof reasons)[number]

/** How far an order is. Each state knows only what is true in it. */
export type OrderState =
  | { readonly status: 'placed' }
  | { readonly status: 'reserved'; readonly reservedAt: number }
  | { readonly status: 'paid' }
  | { readonly status: 'confirmed' }
  | { readonly status: 'cancelling'; readonly reason: CancelReason }
  | { readonly status: 'cancelled'; readonly reason: CancelReason; readonly refunded: boolean }

export interface OrderRecord {
  readonly id: string
  readonly customerId: string
  readonly lines: readonly z.output<typeof QuotedLine>[]
  readonly total: { readonly amount: number; readonly currency: string }
  /** Milliseconds since the epoch. */
  readonly placedAt: number
  readonly shipTo: z.output<typeof Address> | undefined
  /** The payment token, encrypted; gone as soon as it is not needed any more. */
  readonly sealedToken: Uint8Array | undefined
  readonly state: OrderState
  /** Counts the saves. */
  readonly version: number
}

/** How long a payment may take, from the moment the goods are reserved. */
export const captureWithinMs = 10_000
/** What a try gets that begins when that time is over, or nearly so. */
export const lastTryMs = 5_000
/** How much longer an order waits when payments cannot be reached at all. */
export const unsentWithinMs = 60_000

/*
 * The transitions. Each answers the order as it is afterwards, or undefined when the order is not in a state to make it: then
 * somebody was faster, and there is nothing left to do.
 */
export type Transition = (order: OrderRecord) => OrderRecord | undefined

export const reserved =
  (at: number): Transition =>
  (order) =>
    order.state.status === 'placed'
      ? { ...order, state: { status: 'reserved', reservedAt: at } }
      : undefined

export const paid: Transition = (order) =>
  order.state.status === 'reserved'
    ? { ...order, sealedToken: undefined, state: { status: 'paid' } }
    : undefined

export const confirmed: Transition = (order) =>
  order.state.status === 'paid' ? { ...order, state: { status: 'confirmed' } } : undefined

export const cancelling =
  (reason: CancelReason): Transition =>
  (order) =>
    order.state.status === 'placed' ||
    order.state.status === 'reserved' ||
    order.state.status === 'paid'
      ? { ...order, sealedToken: undefined, state: { status: 'cancelling', reason } }
      : undefined

export const cancelled =
  (refunded: boolean): Transition =>
  (order) =>
    order.state.status === 'cancelling'
      ? { ...order, state: { status: 'cancelled', reason: order.state.reason, refunded } }
      : undefined

/** The order as its customer sees it. */
export const orderView = (order: OrderRecord): z.input<typeof Order> => {
  const { state } = order
  const ended = state.status === 'cancelling' || state.status === 'cancelled'
  return {
    id: order.id,
    status: state.status,
    ...(ended ? { reason: state.reason } : {}),
    ...(state.status === 'cancelled' && state.refunded ? { refunded: true } : {}),
    lines: [...order.lines],
    total: order.total,
    placedAt: new Date(order.placedAt).toISOString(),
    ...(order.shipTo === undefined ? {} : { shipTo: order.shipTo }),
  }
}

import { rfc3339 } from 'serval'
import type { z } from 'zod'
import type { Address } from '../address.ts'
import type { QuotedLine as QuotedLineSchema } from '../catalog/contract.ts'
import type { Money } from '../money.ts'
import type { Order, reasons } from './contract.ts'

export type CancelReason = (typeof reasons)[number]

/** How far an order is. Each state knows only what is true in it. */
export type OrderState =
  | { readonly status: 'placed' }
  | { readonly status: 'reserved'; readonly reservedAt: number }
  | { readonly status: 'paid' }
  | { readonly status: 'confirmed' }
  | { readonly status: 'cancelling'; readonly reason: CancelReason }
  | { readonly status: 'cancelled'; readonly reason: CancelReason; readonly refunded: boolean }

type QuotedLine = z.output<typeof QuotedLineSchema>

/** As much of an order as its way takes: what events carry along, so that it need not be read for each change. */
export interface OrderOnItsWay {
  readonly id: string
  readonly customerId: string
  readonly lines: readonly Pick<QuotedLine, 'sku' | 'quantity' | 'total'>[]
  readonly total: Money
  readonly state: OrderState
  /** Counts the changes of status, the first one included. */
  readonly version: number
}

export interface OrderRecord extends OrderOnItsWay {
  readonly lines: readonly QuotedLine[]
  /** Milliseconds since the epoch. */
  readonly placedAt: number
  /** When the prices were the catalog's, if they are a copy; milliseconds. */
  readonly quotedAt: number | undefined
  readonly shipTo: Address | undefined
  /** The payment token, encrypted; gone as soon as it is not needed any more. */
  readonly sealedToken: Uint8Array | undefined
}

/** In these states the payment token may still be needed. */
export const needsToken = ({ status }: OrderState): boolean =>
  status === 'placed' || status === 'reserved'

/** Nothing follows these. */
export const isFinal = (status: OrderState['status']): boolean =>
  status === 'confirmed' || status === 'cancelled'

/** How long a payment may take, from the moment the goods are reserved. */
export const captureWithinMs = 10_000
/** What a try gets that begins when that time is over, or nearly so. */
export const lastTryMs = 5_000
/** How much longer an order waits when payments cannot be reached at all. */
export const unsentWithinMs = 60_000

/*
 * The transitions. Each answers the state afterwards, or undefined where it cannot be made: then somebody was faster, and there is nothing left to do.
 */
export type Transition = (state: OrderState) => OrderState | undefined

export const reserved =
  (at: number): Transition =>
  ({ status }) =>
    status === 'placed' ? { status: 'reserved', reservedAt: at } : undefined

export const paid: Transition = ({ status }) =>
  status === 'reserved' ? { status: 'paid' } : undefined

export const confirmed: Transition = ({ status }) =>
  status === 'paid' ? { status: 'confirmed' } : undefined

export const cancelling =
  (reason: CancelReason): Transition =>
  ({ status }) =>
    status === 'placed' || status === 'reserved' || status === 'paid'
      ? { status: 'cancelling', reason }
      : undefined

export const cancelled =
  (refunded: boolean): Transition =>
  (state) =>
    state.status === 'cancelling'
      ? { status: 'cancelled', reason: state.reason, refunded }
      : undefined

/** A state as others see it: the reason where there is one, and `refunded` only where money went back. */
export const stateView = (
  state: OrderState,
): Pick<z.output<typeof Order>, 'status' | 'reason' | 'refunded'> => ({
  status: state.status,
  ...('reason' in state ? { reason: state.reason } : {}),
  ...(state.status === 'cancelled' && state.refunded ? { refunded: true } : {}),
})

/** The order as its customer sees it. */
export const orderView = (order: OrderRecord): z.input<typeof Order> => ({
  id: order.id,
  ...stateView(order.state),
  lines: [...order.lines],
  total: order.total,
  placedAt: rfc3339(order.placedAt),
  ...(order.quotedAt === undefined ? {} : { quotedAt: rfc3339(order.quotedAt) }),
  ...(order.shipTo === undefined ? {} : { shipTo: order.shipTo }),
})

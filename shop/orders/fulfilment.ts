import { isUnavailability, ServalError, unseal } from 'serval'
import type { z } from 'zod'
import { advance } from './advance.ts'
import type { orders } from './contract.ts'
import {
  cancelled,
  cancelling,
  captureWithinMs,
  confirmed,
  lastTryMs,
  paid,
  reserved,
  unsentWithinMs,
  type OrderOnItsWay,
  type OrderState,
  type Transition,
} from './order.ts'
import type { OrderContext } from './parts.ts'

/*
 * The process manager of what follows an order: it reads its own events, asks the service whose turn it is, and writes the next state. A message whose order has
 * moved on meanwhile changes nothing; every call to another service is harmless to repeat. So each handler may be killed anywhere and run again.
 *
 * Where nothing but the order's own lines is needed, the event carries them, and the order is not read: if it has moved on meanwhile, the guard on its version tells.
 * Before money is taken it is read, so that nobody is charged for an order that was cancelled before.
 */

type Moved = z.output<typeof orders.events.placed.data>

/** The order as the event of its state carries it; undefined when a release that did not yet do so has published it. */
const carried = (
  { orderId: id, version, lines, ...rest }: Moved,
  state: OrderState,
): OrderOnItsWay | undefined =>
  version === undefined || lines === undefined ? undefined : { ...rest, id, version, lines, state }

const codeOf = (error: unknown): string => (error instanceof ServalError ? error.code : '')

export const reserveStock = async (moved: Moved, context: OrderContext): Promise<void> => {
  const { env, read, uses, step } = context
  const { orderId } = moved
  const order = carried(moved, { status: 'placed' }) ?? (await read((r) => r.orders.load(orderId)))
  if (order?.state.status !== 'placed') return
  const lines = order.lines.map(({ sku, quantity }) => ({ sku, quantity }))
  const next = await uses.inventory.reserve({ orderId, lines }).then(
    () => reserved(env.now()),
    (error: unknown) => {
      if (codeOf(error) === 'out-of-stock') return cancelling('out-of-stock')
      // The customer cancelled, and that goes its own way; or the units were reserved, and given back before the order learned of it.
      if (codeOf(error) === 'reservation-gone') return cancelling('out-of-stock')
      throw error
    },
  )
  await step(advance(order, next))
}

export const capturePayment = async (orderId: string, context: OrderContext): Promise<void> => {
  const { env, read, uses, secret, signal, step } = context
  const order = await read((r) => r.orders.load(orderId))
  if (order?.state.status !== 'reserved' || order.sealedToken === undefined) return
  const until = order.state.reservedAt + captureWithinMs
  const key = await secret('payment-token')
  const token = new TextDecoder().decode(unseal(key, orderId, order.sealedToken))
  const capture = async (): Promise<Transition> => {
    try {
      // However late the message comes, one honest try is made: a backlog is no reason to refuse a payment.
      const deadlineMs = Math.max(until - env.now(), lastTryMs)
      await uses.payments.capture({ orderId, amount: order.total, token }, { deadlineMs })
      return paid
    } catch (error) {
      if (codeOf(error) === 'payment-declined') return cancelling('payment-declined')
      // Refunded before it was captured: the cancellation goes its own way.
      if (codeOf(error) === 'payment-refused') return cancelling('cancelled-by-customer')
      const unavailable = error instanceof ServalError && isUnavailability(error)
      // When this host stops, it was not the payment that took too long: the next host tries again.
      if (!unavailable || signal.aborted) throw error
      // What was not even sent was no try; but there is an end to that, too.
      const end = error.ran === 'not-sent' ? until + unsentWithinMs : until
      if (env.now() >= end) return cancelling('payment-timeout')
      throw error
    }
  }
  const next = await capture()
  await step(advance(order, next))
}

export const commitStock = async (moved: Moved, context: OrderContext): Promise<void> => {
  const { read, uses, step } = context
  const { orderId } = moved
  const order = carried(moved, { status: 'paid' }) ?? (await read((r) => r.orders.load(orderId)))
  if (order?.state.status !== 'paid') return
  const next = await uses.inventory.commit({ orderId }).then(
    () => confirmed,
    (error: unknown) => {
      // The reservation expired while the payment took its time: the money goes back.
      if (codeOf(error) === 'reservation-gone') return cancelling('out-of-stock')
      throw error
    },
  )
  await step(advance(order, next))
}

/** Gives back what the order had: first the goods, then the money. */
export const compensate = async (orderId: string, context: OrderContext): Promise<void> => {
  const { read, uses, step } = context
  const order = await read((r) => r.orders.load(orderId))
  if (order?.state.status !== 'cancelling') return
  await uses.inventory.release({ orderId })
  const { refunded } = await uses.payments.refund({ orderId })
  await step(advance(order, cancelled(refunded)))
}

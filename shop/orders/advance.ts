import { orders } from './contract.ts'
import { changeOf } from './history.ts'
import type { OrderOnItsWay, Transition } from './order.ts'
import type { OrderStep } from './parts.ts'

const { events } = orders

/** Publishes the state that an order has come to. */
export const publish = (step: OrderStep, order: OrderOnItsWay): void => {
  const { id, customerId, total, state, version } = order
  const moved = { orderId: id, customerId, total }
  const lines = () =>
    order.lines.map(({ sku, quantity, total: amount }) => ({ sku, quantity, total: amount }))
  switch (state.status) {
    case 'placed':
      return step.emit(events.placed, { ...moved, version, lines: lines() })
    case 'reserved':
      return step.emit(events.reserved, moved)
    case 'paid':
      return step.emit(events.paid, { ...moved, version, lines: lines() })
    case 'confirmed':
      return step.emit(events.confirmed, { ...moved, lines: lines() })
    case 'cancelling':
      return step.emit(events.cancelling, { ...moved, reason: state.reason })
    case 'cancelled':
      return step.emit(events.cancelled, {
        ...moved,
        reason: state.reason,
        refunded: state.refunded,
      })
  }
}

/** Makes a transition: saved, noted in the history and published. Answers the order after it; undefined when the order is past it. */
export const make = <O extends OrderOnItsWay>(
  step: OrderStep,
  order: O,
  transition: Transition,
): O | undefined => {
  const state = transition(order.state)
  if (state === undefined) return undefined
  const after = { ...order, state, version: order.version + 1 }
  step.orders.save(after, changeOf(after.version, state, step.env.now()))
  publish(step, after)
  return after
}

/**
 * The work of a step that makes a transition, unless the order is past it. It begins with the order as it was known before the step; when that was changed
 * meanwhile, the guard on its version has the work run again, and then it reads for itself.
 */
export const advance = (
  order: OrderOnItsWay,
  transition: Transition,
): ((step: OrderStep) => Promise<void>) => {
  let known: OrderOnItsWay | undefined = order
  return async (step) => {
    const before = known ?? (await step.orders.load(order.id))
    known = undefined
    if (before !== undefined) make(step, before, transition)
  }
}

import { failure, isUnavailability, pageCursor, ServalError, service, type Step } from 'serval'
import { z } from 'zod'
import { catalog } from '../catalog/contract.ts'
import { inventory } from '../inventory/contract.ts'
import { payments } from '../payments/contract.ts'
import { AlreadyConfirmed, NoSuchOrder, orders, statuses } from './contract.ts'
import {
  cancelled,
  cancelling,
  captureWithinMs,
  confirmed,
  lastTryMs,
  unsentWithinMs,
  orderView,
  paid,
  reserved,
  type CancelReason,
  type OrderRecord,
  type Transition,
} from './order.ts'
import { orderRepository } from './repository.ts'
import { seal, unseal } from './seal.ts'

/*
 * Orders is the process manager of what follows an order: it reads its own events, asks the service whose turn it is, and writes the next state. A message whose
 * order has moved on meanwhile has nothing to do; every call to another service is harmless to repeat. So each handler may be killed anywhere and run again.
 */

type OrderStep = Step<{ readonly orders: typeof orderRepository }>
const { events } = orders
const pages = pageCursor(z.strictObject({ before: z.string().regex(/^[!-~]{1,64}$/) }))

const userId = (caller: { readonly kind: string; readonly id?: string }): string => {
  if (caller.kind !== 'user' || caller.id === undefined)
    throw failure('forbidden', 'Orders belong to users')
  return caller.id
}

const codeOf = (error: unknown): string => (error instanceof ServalError ? error.code : '')

/**
 * The work of a step that makes a transition and publishes it, unless the order is past it. It begins with the order as it was read before the step; when that was
 * changed meanwhile, the guard on its version has the work run again, and then it reads for itself.
 */
const advance = (
  read: OrderRecord,
  transition: Transition,
): ((step: OrderStep) => Promise<void>) => {
  let known: OrderRecord | undefined = read
  return async (step) => {
    const before = known ?? (await step.orders.load(read.id))
    known = undefined
    const after = before === undefined ? undefined : transition(before)
    if (after === undefined) return
    step.orders.save(after)
    publish(step, after)
  }
}

const publish = (step: OrderStep, order: OrderRecord): void => {
  const { state } = order
  const moved = { orderId: order.id, customerId: order.customerId, total: order.total }
  if (state.status === 'cancelled')
    step.emit(events.cancelled, { ...moved, reason: state.reason, refunded: state.refunded })
  else if (state.status === 'cancelling')
    step.emit(events.cancelling, { ...moved, reason: state.reason })
  else if (state.status === 'confirmed') {
    const lines = order.lines.map(({ sku, quantity, total }) => ({ sku, quantity, total }))
    step.emit(events.confirmed, { ...moved, lines })
  } else step.emit(events[state.status], moved)
}

export const ordersService = service(orders, {
  uses: { catalog, inventory, payments },
  repositories: { orders: orderRepository },
  operations: {
    async place(input, { env, caller, uses, secret, step }) {
      const quote = await uses.catalog.quote({ lines: input.lines })
      const id = env.id()
      const order: OrderRecord = {
        id,
        customerId: userId(caller),
        lines: quote.lines,
        total: quote.total,
        placedAt: env.now(),
        shipTo: input.shipTo,
        sealedToken: await seal(
          input.payment.token,
          id,
          await secret('payment-token'),
          env.bytes(12),
        ),
        state: { status: 'placed' },
        version: 1,
      }
      return step(async (s) => {
        s.orders.insert(order)
        publish(s, order)
        return orderView(order)
      })
    },

    async list({ status, limit, cursor }, { caller, read }) {
      const before = cursor === undefined ? undefined : pages.decode(cursor).before
      const found = await read((r) =>
        r.orders.list({ customerId: userId(caller), status, before, limit: limit + 1 }),
      )
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return {
        items: page.map(orderView),
        ...(found.length > limit && last !== undefined
          ? { next: pages.encode({ before: last.id }) }
          : {}),
      }
    },

    async order({ id }, { caller, read }) {
      const order = await read((r) => r.orders.load(id))
      if (order === undefined || order.customerId !== userId(caller)) throw NoSuchOrder(undefined)
      return orderView(order)
    },

    cancel: ({ id }, { caller, step }) =>
      step(async (s) => {
        const order = await s.orders.load(id)
        if (order === undefined || order.customerId !== userId(caller)) throw NoSuchOrder(undefined)
        if (order.state.status === 'confirmed') throw AlreadyConfirmed(undefined)
        const after = cancelling('cancelled-by-customer')(order)
        if (after === undefined) return orderView(order)
        s.orders.save(after)
        publish(s, after)
        return orderView(after)
      }),

    async audit(_, { read }) {
      const sums = await read((r) => r.orders.sums())
      const groups = Map.groupBy(sums, (sum) => `${sum.status} ${sum.reason ?? ''}`)
      return {
        statuses: [...groups.values()].flatMap((group) => {
          const [first] = group
          if (first === undefined) return []
          return [
            {
              status: statuses.find((status) => status === first.status) ?? 'placed',
              ...(first.reason === undefined ? {} : { reason: first.reason as CancelReason }),
              orders: group.reduce((total, sum) => total + sum.orders, 0),
              amounts: group.flatMap(({ amounts }) => amounts),
            },
          ]
        }),
      }
    },
  },

  subscriptions: (on) => [
    on(events.placed, async ({ data: { orderId } }, { env, read, uses, step }) => {
      const order = await read((r) => r.orders.load(orderId))
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
    }),

    on(events.reserved, async ({ data: { orderId } }, context) => {
      const { env, read, uses, secret, signal, step } = context
      const order = await read((r) => r.orders.load(orderId))
      if (order?.state.status !== 'reserved' || order.sealedToken === undefined) return
      const until = order.state.reservedAt + captureWithinMs
      const token = await unseal(order.sealedToken, orderId, await secret('payment-token'))
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
    }),

    on(events.paid, async ({ data: { orderId } }, { read, uses, step }) => {
      const order = await read((r) => r.orders.load(orderId))
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
    }),

    on(events.cancelling, async ({ data: { orderId } }, { read, uses, step }) => {
      const order = await read((r) => r.orders.load(orderId))
      if (order?.state.status !== 'cancelling') return
      await uses.inventory.release({ orderId })
      const { refunded } = await uses.payments.refund({ orderId })
      await step(advance(order, cancelled(refunded)))
    }),
  ],
})

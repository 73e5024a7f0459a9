import { failure, pageCursor, seal, service } from 'serval'
import { z } from 'zod'
import { accounts } from '../accounts/contract.ts'
import { make, publish } from './advance.ts'
import { AlreadyConfirmed, NoSuchOrder, orders } from './contract.ts'
import { forgetAddresses, forgetCustomer, forgetNext, Round } from './erasure.ts'
import { changesAfter, seenOf } from './following.ts'
import { capturePayment, commitStock, compensate, reserveStock } from './fulfilment.ts'
import { cancelling, orderView, type OrderRecord } from './order.ts'
import { parts, type OrderContext } from './parts.ts'
import { quoteLines } from './quoting.ts'

const { events } = orders
const pages = pageCursor(z.strictObject({ before: z.string().regex(/^[!-~]{1,64}$/) }))

const userId = (caller: { readonly kind: string; readonly id?: string }): string => {
  if (caller.kind !== 'user' || caller.id === undefined)
    throw failure('forbidden', 'Orders belong to users')
  return caller.id
}

interface PageAsked {
  readonly customerId: string | undefined
  readonly status: OrderRecord['state']['status'] | undefined
  readonly limit: number
  readonly cursor: string | undefined
}

/** A page of orders, newest first, and where the next one begins. */
const pageOf = async <T>(
  { limit, cursor, ...filter }: PageAsked,
  view: (order: OrderRecord) => T,
  { read }: OrderContext,
): Promise<{ items: T[]; next?: string }> => {
  const before = cursor === undefined ? undefined : pages.decode(cursor).before
  // One more than asked for tells whether there is another page.
  const found = await read((r) => r.orders.list({ ...filter, before, limit: limit + 1 }))
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const items = page.map(view)
  return found.length > limit && last !== undefined
    ? { items, next: pages.encode({ before: last.id }) }
    : { items }
}

export const ordersService = service(orders, {
  ...parts,
  operations: {
    async place(input, context) {
      const { env, caller, secret, step } = context
      const customerId = userId(caller)
      const quote = await quoteLines(input.lines, context)
      const id = env.id()
      const placedAt = env.now()
      const key = await secret('payment-token')
      const order: OrderRecord = {
        id,
        customerId,
        lines: quote.lines,
        total: quote.total,
        placedAt,
        quotedAt: quote.quotedAt,
        shipTo: input.shipTo,
        sealedToken: seal(env, key, id, input.payment.token),
        state: { status: 'placed' },
        version: 1,
      }
      return step(async (s) => {
        s.orders.insert(order)
        publish(s, order)
        return orderView(order)
      })
    },

    list: ({ status, limit, cursor }, context) =>
      pageOf({ customerId: userId(context.caller), status, limit, cursor }, orderView, context),

    listAll: ({ customer, status, limit, cursor }, context) =>
      pageOf(
        { customerId: customer, status, limit, cursor },
        (order) => ({ ...orderView(order), customerId: order.customerId }),
        context,
      ),

    async order({ id }, { caller, read }) {
      const order = await read((r) => r.orders.load(id))
      if (order === undefined || order.customerId !== userId(caller)) throw NoSuchOrder(undefined)
      return orderView(order)
    },

    async follow({ id, after }, context) {
      const progress = await context.read((r) => r.orders.progress(id))
      if (progress === undefined || progress.customerId !== userId(context.caller))
        throw NoSuchOrder(undefined)
      return changesAfter(id, seenOf(after, progress.history), context)
    },

    cancel: ({ id }, { caller, step }) =>
      step(async (s) => {
        const order = await s.orders.load(id)
        if (order === undefined || order.customerId !== userId(caller)) throw NoSuchOrder(undefined)
        if (order.state.status === 'confirmed') throw AlreadyConfirmed(undefined)
        return orderView(make(s, order, cancelling('cancelled-by-customer')) ?? order)
      }),

    async audit(_, { read }) {
      const sums = await read((r) => r.orders.sums())
      const groups = Map.groupBy(sums, ({ status, reason }) => `${status} ${reason ?? ''}`)
      return {
        statuses: [...groups.values()].flatMap((group) =>
          // The first stands for its group.
          group.slice(0, 1).map(({ status, reason }) => ({
            status,
            ...(reason === undefined ? {} : { reason }),
            orders: group.reduce((total, sum) => total + sum.orders, 0),
            amounts: group.flatMap(({ amounts }) => amounts),
          })),
        ),
      }
    },
  },

  subscriptions: (on) => [
    on(events.placed, ({ data }, context) => reserveStock(data, context)),
    on(events.reserved, ({ data }, context) => capturePayment(data.orderId, context)),
    on(events.paid, ({ data }, context) => commitStock(data, context)),
    on(events.cancelling, ({ data }, context) => compensate(data.orderId, context)),
    on(accounts.events.userErased, ({ data, time }, { step }) =>
      step(async (s) => forgetCustomer(s, data.userId, Date.parse(time))),
    ),
  ],
  jobs: (jobs) => [
    jobs.once(forgetAddresses, Round, (round, { step }) => step((s) => forgetNext(s, round))),
  ],
})

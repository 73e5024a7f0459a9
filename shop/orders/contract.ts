import { command, contract, event, feed, get, post, problem, query } from 'serval'
import { z } from 'zod'
import { Address } from '../address.ts'
import {
  Lines,
  MixedCurrencies,
  QuotedLine,
  TotalTooLarge,
  UnknownSku,
} from '../catalog/contract.ts'
import { Money } from '../money.ts'

export const statuses = [
  'placed',
  'reserved',
  'paid',
  'confirmed',
  'cancelling',
  'cancelled',
] as const
export const reasons = [
  'out-of-stock',
  'payment-declined',
  'payment-timeout',
  'cancelled-by-customer',
] as const
export const Status = z.enum(statuses)
export const Reason = z.enum(reasons)

export const Order = z.object({
  id: z.string(),
  status: Status,
  reason: Reason.optional(),
  refunded: z.boolean().optional(),
  lines: z.array(QuotedLine),
  total: Money,
  placedAt: z.string(),
  /** When these prices were the catalog's: present only where it could not be asked, and a copy stood in, at most some minutes old. */
  quotedAt: z.string().optional(),
  shipTo: Address.optional(),
})

/** One change of an order’s status, counted from 1. */
export const StatusChange = z.object({
  id: z.int(),
  status: Status,
  reason: Reason.optional(),
  refunded: z.boolean().optional(),
  at: z.string(),
})

export const NoSuchOrder = problem('no-such-order', {
  kind: 'not-found',
  title: 'There is no such order',
})
export const AlreadyConfirmed = problem('already-confirmed', {
  kind: 'conflict',
  title: 'The order is confirmed; it cannot be cancelled',
})

const OrderId = z.string().min(1).max(64)
const Page = z.object({
  status: Status.optional(),
  limit: z.int().min(1).max(100).default(20),
  cursor: z.string().max(200).optional(),
})
const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next: z.string().optional() })
const Moved = z.object({ orderId: z.string(), customerId: z.string(), total: Money })
const MovedLines = z.array(z.object({ sku: z.string(), quantity: z.int(), total: Money }))
/** What the next step of the order's way takes, so that it need not be read; events of an earlier release are without. */
const MovedOn = Moved.extend({ version: z.int().optional(), lines: MovedLines.optional() })

export const orders = contract('orders', {
  operations: {
    place: command({
      summary: 'Places an order',
      access: 'user',
      repeat: 'key',
      http: post('/api/v1/orders', { status: 201, location: '/api/v1/orders/:id' }),
      // One customer whose payments hang must not make up most of them.
      limit: { requests: 120, per: '1m', by: 'caller' },
      input: z.object({
        lines: Lines,
        payment: z.object({ token: z.string().min(1).max(200) }),
        shipTo: Address.optional(),
      }),
      output: Order,
      problems: [UnknownSku, MixedCurrencies, TotalTooLarge],
    }),
    list: query({
      summary: 'My orders, newest first',
      access: 'user',
      http: get('/api/v1/orders'),
      input: Page,
      output: pageOf(Order),
    }),
    order: query({
      summary: 'One of my orders',
      access: 'user',
      http: get('/api/v1/orders/:id'),
      input: z.object({ id: OrderId }),
      output: Order,
      problems: [NoSuchOrder],
    }),
    cancel: command({
      summary: 'Cancels an order that is not confirmed yet',
      access: 'user',
      repeat: 'natural',
      http: post('/api/v1/orders/:id/cancel', { status: 202 }),
      input: z.object({ id: OrderId }),
      output: Order,
      problems: [NoSuchOrder, AlreadyConfirmed],
    }),
    follow: feed({
      summary: 'Each change of my order’s status, from the first one or after one, until the last',
      access: 'user',
      http: get('/api/v1/orders/:id/events'),
      input: z.object({
        id: OrderId,
        after: z
          .string()
          .regex(/^\d{1,9}$/, 'This is not the id of a change')
          .optional(),
      }),
      output: StatusChange,
      problems: [NoSuchOrder],
    }),
    listAll: query({
      summary: 'All orders, newest first',
      access: 'role:merchant',
      http: get('/api/v1/admin/orders'),
      input: Page.extend({ customer: z.string().min(1).max(64).optional() }),
      output: pageOf(Order.extend({ customerId: z.string() })),
    }),
    audit: query({
      summary: 'Orders and sums per status',
      access: 'operator',
      http: get('/operator/v1/orders'),
      input: z.object({}),
      output: z.object({
        statuses: z.array(
          z.object({
            status: Status,
            reason: Reason.optional(),
            orders: z.int(),
            amounts: z.array(Money),
          }),
        ),
      }),
    }),
  },
  events: {
    placed: event('order.placed', { version: 1, key: 'orderId', data: MovedOn }),
    reserved: event('order.reserved', { version: 1, key: 'orderId', data: Moved }),
    paid: event('order.paid', { version: 1, key: 'orderId', data: MovedOn }),
    confirmed: event('order.confirmed', {
      version: 1,
      key: 'orderId',
      data: Moved.extend({ lines: MovedLines }),
    }),
    cancelling: event('order.cancelling', {
      version: 1,
      key: 'orderId',
      data: Moved.extend({ reason: Reason }),
    }),
    cancelled: event('order.cancelled', {
      version: 1,
      key: 'orderId',
      data: Moved.extend({ reason: Reason, refunded: z.boolean() }),
    }),
  },
})

import { command, contract, event, get, post, problem, query } from 'serval'
import { z } from 'zod'
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

export const Address = z.object({
  name: z.string().min(1).max(100),
  street: z.string().min(1).max(200),
  city: z.string().min(1).max(100),
  postcode: z.string().min(1).max(20),
  country: z.string().min(1).max(60),
})

export const Order = z.object({
  id: z.string(),
  status: Status,
  reason: Reason.optional(),
  refunded: z.boolean().optional(),
  lines: z.array(QuotedLine),
  total: Money,
  placedAt: z.string(),
  shipTo: Address.optional(),
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
const Moved = z.object({ orderId: z.string(), customerId: z.string(), total: Money })

export const orders = contract('orders', {
  operations: {
    place: command({
      summary: 'Places an order',
      access: 'user',
      repeat: 'key',
      http: post('/api/v1/orders', { status: 201, location: '/api/v1/orders/:id' }),
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
      input: z.object({
        status: Status.optional(),
        limit: z.int().min(1).max(100).default(20),
        cursor: z.string().max(200).optional(),
      }),
      output: z.object({ items: z.array(Order), next: z.string().optional() }),
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
    placed: event('order.placed', { version: 1, key: 'orderId', data: Moved }),
    reserved: event('order.reserved', { version: 1, key: 'orderId', data: Moved }),
    paid: event('order.paid', { version: 1, key: 'orderId', data: Moved }),
    confirmed: event('order.confirmed', {
      version: 1,
      key: 'orderId',
      data: Moved.extend({
        lines: z.array(z.object({ sku: z.string(), quantity: z.int(), total: Money })),
      }),
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

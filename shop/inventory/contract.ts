import { command, contract, get, post, problem, put, query } from 'serval'
import { z } from 'zod'
import { Sku } from '../catalog/contract.ts'

export const ReservedLines = z.array(z.object({ sku: Sku, quantity: z.int().min(1) })).min(1)
export const Stock = z.object({ sku: Sku, available: z.int().min(0) })

/** Of one SKU: more units than a shop has, and far from where sums of them lose digits. */
export const mostUnits = 1_000_000_000

export const Adjustment = z.object({
  id: z.string(),
  sku: Sku,
  delta: z.int(),
  reason: z.string(),
  /** RFC 3339. */
  at: z.string(),
  /** The user who made it. */
  by: z.string().optional(),
})

export const NoSuchStock = problem('no-such-stock', {
  kind: 'not-found',
  title: 'Nothing is known of this SKU’s stock',
  data: z.object({ sku: z.string() }),
})
export const BelowReserved = problem('below-reserved', {
  kind: 'conflict',
  title: 'More units are reserved than that count',
  data: z.object({ sku: z.string(), reserved: z.int() }),
})
export const TooManyUnits = problem('too-many-units', {
  kind: 'unprocessable',
  title: `A SKU has at most ${mostUnits} units on hand`,
  data: z.object({ sku: z.string(), onHand: z.int() }),
})
export const OutOfStock = problem('out-of-stock', {
  kind: 'conflict',
  title: 'There are not enough units of a product',
  data: z.object({ skus: z.array(z.string()) }),
})
/**
 * The order was released before, or its reservation expired: it can neither be reserved nor
 * committed any more.
 */
export const ReservationGone = problem('reservation-gone', {
  kind: 'conflict',
  title: 'The reservation was released',
})

const OrderId = z.string().min(1).max(64)

export const inventory = contract('inventory', {
  operations: {
    stock: query({
      summary: 'Units of a SKU that can be ordered now',
      access: 'public',
      http: get('/api/v1/stock/:sku'),
      input: z.object({ sku: Sku }),
      output: Stock,
      problems: [NoSuchStock],
    }),
    count: command({
      summary: 'Sets the units on hand, as counted',
      access: 'role:merchant',
      repeat: 'natural',
      http: put('/api/v1/stock/:sku'),
      input: z.object({ sku: Sku, onHand: z.int().min(0).max(mostUnits) }),
      output: Stock,
      problems: [BelowReserved],
    }),
    adjust: command({
      summary: 'Adds units to those on hand, or takes some away, and says why',
      access: 'role:merchant',
      repeat: 'key',
      http: post('/api/v1/stock/:sku/adjustments', { status: 201 }),
      input: z.object({
        sku: Sku,
        delta: z
          .int()
          .min(-mostUnits)
          .max(mostUnits)
          .refine((delta) => delta !== 0, 'An adjustment is by some units, not by none'),
        reason: z.string().min(1).max(200),
      }),
      output: Stock.extend({ adjustment: Adjustment }),
      problems: [NoSuchStock, BelowReserved, TooManyUnits],
    }),
    adjustments: query({
      summary: 'Adjustments of a SKU, newest first',
      access: 'role:merchant',
      http: get('/api/v1/stock/:sku/adjustments'),
      input: z.object({
        sku: Sku,
        limit: z.int().min(1).max(100).default(20),
        cursor: z.string().max(200).optional(),
      }),
      output: z.object({ items: z.array(Adjustment), next: z.string().optional() }),
      problems: [NoSuchStock],
    }),
    reserve: command({
      summary: 'Reserves all lines of an order, or none',
      access: 'internal',
      repeat: 'natural',
      input: z.object({ orderId: OrderId, lines: ReservedLines }),
      output: z.object({ expiresAt: z.string() }),
      problems: [OutOfStock, ReservationGone],
    }),
    commit: command({
      summary: 'Takes the reserved units of an order off the shelf',
      access: 'internal',
      repeat: 'natural',
      input: z.object({ orderId: OrderId }),
      output: z.object({}),
      problems: [ReservationGone],
    }),
    release: command({
      summary:
        'Gives the units of an order back, committed or not, and refuses a later reserve or commit',
      access: 'internal',
      repeat: 'natural',
      input: z.object({ orderId: OrderId }),
      output: z.object({}),
    }),
    /** For seeding: counts of SKUs of which nothing is known yet. Where an answer was lost, its repeat adds nothing more, and says so. */
    provide: command({
      summary: 'Sets the counts of SKUs that have none',
      access: 'internal',
      repeat: 'natural',
      input: z.object({
        counts: z.array(z.object({ sku: Sku, onHand: z.int().min(0) })).max(1_000),
      }),
      output: z.object({ added: z.int() }),
    }),
    audit: query({
      summary: 'Sums over all stock and reservations',
      access: 'operator',
      http: get('/operator/v1/inventory'),
      input: z.object({}),
      output: z.object({
        skus: z.int(),
        onHand: z.int(),
        reserved: z.int(),
        negative: z.int(),
        reservations: z.object({ held: z.int(), committed: z.int(), released: z.int() }),
      }),
    }),
  },
})

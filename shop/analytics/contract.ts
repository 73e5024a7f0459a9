import { contract, get, problem, query } from 'serval'
import { z } from 'zod'
import { Money } from '../money.ts'

export const bucketSizes = ['minute', 'hour', 'day'] as const
export const maxBuckets = 2_000

export const TooManyBuckets = problem('too-many-buckets', {
  kind: 'unprocessable',
  title:
    'The range has more buckets than one reply may list; ask for a shorter one, or for larger buckets',
  data: z.object({ buckets: z.int(), limit: z.int() }),
})

/** RFC 3339 in UTC, from 1970 to the year 9999. */
const Time = z.iso
  .datetime({ error: 'A time looks like 2026-01-31T08:00:00Z' })
  .refine((text) => !(Date.parse(text) < 0), 'A time is not before 1970')

/** From inclusive, to exclusive. */
const Range = z.object({ from: Time.optional(), to: Time.optional() })

export const Bucket = z.object({
  /** When it begins. Buckets are minutes, hours and days of UTC; the first and the last count only what is in the range. */
  at: z.string(),
  orders: z.int(),
  units: z.int(),
  /** In each currency; several amounts of one where the sum is beyond 2^53−1. */
  revenue: z.array(Money),
})

export const analytics = contract('analytics', {
  operations: {
    sales: query({
      summary:
        'Confirmed orders over time: every bucket of the range, also empty ones; the last 60 minutes, 24 hours or 30 days when nothing is said',
      access: 'role:merchant',
      http: get('/api/v1/analytics/sales'),
      input: Range.extend({ bucket: z.enum(bucketSizes).default('hour') }),
      output: z.object({ buckets: z.array(Bucket) }),
      problems: [TooManyBuckets],
    }),
    topProducts: query({
      summary: 'Products by units in confirmed orders; of the last 24 hours when nothing is said',
      access: 'role:merchant',
      http: get('/api/v1/analytics/top-products'),
      input: Range.extend({ limit: z.int().min(1).max(100).default(20) }),
      output: z.object({
        items: z.array(z.object({ sku: z.string(), units: z.int(), revenue: z.array(Money) })),
      }),
    }),
    audit: query({
      summary: 'Confirmed orders that were counted, and their sums',
      access: 'operator',
      http: get('/operator/v1/analytics'),
      input: z.object({}),
      output: z.object({ orders: z.int(), units: z.int(), revenue: z.array(Money) }),
    }),
  },
})

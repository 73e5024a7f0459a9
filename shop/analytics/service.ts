import { rfc3339, service } from 'serval'
import type { Money } from '../money.ts'
import { orders } from '../orders/contract.ts'
import { analytics } from './contract.ts'
import { bucketsOf, rangeOf } from './range.ts'
import { saleRepository } from './repository.ts'

const view = <T extends { readonly revenue: readonly Money[] }>({ revenue, ...rest }: T) => ({
  ...rest,
  revenue: [...revenue],
})

/** Counts confirmed orders. It knows no customers. */
export const analyticsService = service(analytics, {
  repositories: { sales: saleRepository },
  operations: {
    async sales({ bucket, ...asked }, { env, read }) {
      const buckets = bucketsOf(rangeOf(asked, bucket, env.now()), bucket)
      const sums = await read((r) => r.sales.sums(buckets))
      return {
        buckets: sums.map((sum, index) => ({ at: rfc3339(buckets[index]?.at ?? 0), ...view(sum) })),
      }
    },
    async topProducts({ limit, ...asked }, { env, read }) {
      const range = rangeOf(asked, 'hour', env.now())
      const products = await read((r) => r.sales.topProducts(range, limit))
      return { items: products.map(view) }
    },
    async audit(_, { read }) {
      return view(await read((r) => r.sales.all()))
    },
  },
  subscriptions: (on) => [
    // A message that is delivered again, or published again, finds its order counted.
    on(orders.events.confirmed, ({ data, time }, { step }) =>
      step(async ({ sales }) => sales.count({ ...data, at: Date.parse(time) })),
    ),
  ],
})

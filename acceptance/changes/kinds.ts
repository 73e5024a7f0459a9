import type { Random } from '../fuzz/random.ts'
import { bearer, type Reply, type RequestParts } from '../raw-http.ts'
import type { Ledger } from './ledger.ts'

/** What a mixed load is made of. */
export interface Kind {
  readonly name: string
  /** Services without which it cannot be answered. */
  readonly needs: readonly string[]
  readonly weight: number
  readonly status: number
  readonly make: () => { readonly parts: RequestParts; readonly learn?: (reply: Reply) => void }
}

/** The mix, by weight: what a shop is asked, mostly reads, with a tenth of orders. */
export const kindsOf = (ledger: Ledger, random: Random): readonly Kind[] => {
  const { skus, customers, merchant, world } = ledger
  const anybody = { 'x-serval-operator': world.operatorKey }
  const somebody = () => ledger.as(random.below(customers.length))
  const read = (path: string, headers: Readonly<Record<string, string>> = anybody) => ({
    parts: { path, headers },
  })
  const known = () => ledger.placed.slice(-200).filter(({ answer }) => answer !== undefined)
  return [
    { name: 'product', needs: ['catalog'], weight: 30, status: 200, make: () => read(`/api/v1/products/${random.pick(skus)}`) }, // prettier-ignore
    {
      name: 'list',
      needs: ['catalog'],
      weight: 6,
      status: 200,
      make: () => read('/api/v1/products?limit=20'),
    },
    { name: 'search', needs: ['catalog'], weight: 3, status: 200, make: () => read(`/api/v1/products?q=word${random.below(1_000)}`) }, // prettier-ignore
    { name: 'stock', needs: ['inventory'], weight: 6, status: 200, make: () => read(`/api/v1/stock/${random.pick(skus)}`) }, // prettier-ignore
    {
      name: 'quote',
      needs: ['orders', 'catalog'],
      weight: 12,
      status: 200,
      make: () => {
        const body = { lines: [{ sku: random.pick(skus), quantity: 1 }] }
        return { parts: { method: 'POST', path: '/api/v1/quotes', headers: anybody, body } }
      },
    },
    {
      name: 'place',
      needs: ['orders', 'catalog'],
      weight: 10,
      status: 201,
      make: () => ledger.order(random),
    },
    {
      name: 'order',
      needs: ['orders'],
      weight: 8,
      status: 200,
      make: () => {
        const orders = known()
        if (orders.length === 0) return read('/api/v1/orders', somebody())
        const { answer, customer } = random.pick(orders)
        return read(`/api/v1/orders/${answer?.id}`, ledger.as(customer))
      },
    },
    {
      name: 'orders',
      needs: ['orders'],
      weight: 4,
      status: 200,
      make: () => read('/api/v1/orders', somebody()),
    },
    {
      name: 'profile',
      needs: ['accounts'],
      weight: 4,
      status: 200,
      make: () => read('/api/v1/users/me', somebody()),
    },
    { name: 'mails', needs: ['notifications'], weight: 2, status: 200, make: () => read('/api/v1/notifications', somebody()) }, // prettier-ignore
    {
      name: 'amend',
      needs: ['catalog'],
      weight: 0.5,
      status: 200,
      make: () => {
        const headers = { ...anybody, ...bearer(merchant.token) }
        const body = { description: `word${random.below(1_000)}` }
        const path = `/api/v1/products/${random.pick(skus)}`
        return { parts: { method: 'PATCH', path, headers, body } }
      },
    },
    { name: 'missing', needs: ['catalog'], weight: 4, status: 404, make: () => read(`/api/v1/products/NOT-HERE-${random.below(1_000_000)}`) }, // prettier-ignore
  ]
}

import { repository } from 'serval'
import type { Money } from '../money.ts'
import type { Product } from './contract.ts'

export interface ProductFilter {
  /** Each must occur in the product's search text (search.ts). */
  readonly words: readonly string[]
  readonly category: string | undefined
}

export interface Products {
  find(sku: string): Promise<Product | undefined>
  /** At most `limit` products by ascending SKU, after `after`; '' is before all. */
  list(filter: ProductFilter, after: string, limit: number): Promise<readonly Product[]>
  /** Prices of those of the SKUs that exist. */
  prices(skus: readonly string[]): Promise<ReadonlyMap<string, Money>>
  /** Refused with ProductExists. */
  add(product: Product): void
}

export const productRepository = repository<Products>({
  scope: 'aggregate',
  engines: { sql: async () => (await import('./repositories/sql.ts')).products },
})

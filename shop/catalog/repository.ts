import { repository } from 'serval'
import type { Money } from '../money.ts'
import type { Product } from './contract.ts'

export interface ProductFilter {
  /** Each must occur in the product's search text (search.ts). */
  readonly words: readonly string[]
  readonly category: string | undefined
}

/** A product to be changed. */
export interface Loaded {
  readonly product: Product
  /** Differs after each change, also between two products that had the same SKU in turn. */
  readonly version: number
}

export interface Category {
  readonly name: string
  readonly products: number
}

export interface Products {
  find(sku: string): Promise<Product | undefined>
  load(sku: string): Promise<Loaded | undefined>
  /** At most `limit` products by ascending SKU, after `after`; '' is before all. */
  list(filter: ProductFilter, after: string, limit: number): Promise<readonly Product[]>
  /** All that have products, in no order. It reads every product: among 100,000 some 20 ms. */
  categories(): Promise<readonly Category[]>
  /** Prices of those of the SKUs that exist. */
  prices(skus: readonly string[]): Promise<ReadonlyMap<string, Money>>
  /** Refused with ProductExists. */
  add(product: Product): void
  /** The step runs again when the product has another version by then. */
  save(product: Product, version: number): void
  /** The same. Its SKU can be added again. */
  remove(sku: string, version: number): void
}

export const productRepository = repository<Products>({
  scope: 'aggregate',
  engines: { sql: async () => (await import('./repositories/sql.ts')).products },
})

import type { Database } from './database.ts'
import { Problem } from './problem.ts'
import type { Product } from './schemas.ts'

const keptMs = 300_000
const keptProducts = 100_000

/** Products as JSON texts, kept in memory for five minutes or until they change. */
export const catalogOf = (database: Database) => {
  const cache = new Map<string, { readonly text: string; readonly until: number }>()

  const find = async (sku: string): Promise<Product | undefined> => {
    const [row] = await database.query<
      Omit<Product, 'price'> & { amount: string; currency: string }
    >(
      'select sku, name, description, amount, currency, category, attributes from products where sku = $1',
      [sku],
    )
    if (row === undefined) return undefined
    const { amount, currency, ...rest } = row
    return { ...rest, price: { amount: Number(amount), currency } }
  }

  return {
    /** A product as JSON. */
    product: async (sku: string): Promise<string> => {
      const known = cache.get(sku)
      if (known !== undefined && Date.now() < known.until) return known.text
      const product = await find(sku)
      if (product === undefined) throw new Problem(404, 'no-such-product')
      const text = JSON.stringify(product)
      const oldest = cache.size < keptProducts ? undefined : cache.keys().next().value
      if (oldest !== undefined) cache.delete(oldest)
      cache.set(sku, { text, until: Date.now() + keptMs })
      return text
    },

    create: async (product: Product): Promise<void> => {
      const { sku, name, description, price, category, attributes } = product
      const added = await database.query(
        `insert into products (sku, name, description, amount, currency, category, attributes)
         values ($1, $2, $3, $4, $5, $6, $7::text::jsonb) on conflict do nothing returning 1 as added`,
        [
          sku,
          name,
          description,
          price.amount,
          price.currency,
          category,
          JSON.stringify(attributes),
        ],
      )
      if (added.length === 0) throw new Problem(409, 'product-exists')
      cache.delete(sku)
    },

    count: async (sku: string, onHand: number): Promise<void> => {
      await database.query(
        `insert into stock (sku, on_hand) values ($1, $2)
         on conflict (sku) do update set on_hand = excluded.on_hand`,
        [sku, onHand],
      )
    },
  }
}

export type Catalog = ReturnType<typeof catalogOf>

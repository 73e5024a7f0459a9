import { sqlRepository } from 'serval/engines/sql'
import { ProductExists, type Product } from '../contract.ts'
import type { Products } from '../repository.ts'
import { searchText } from '../search.ts'

interface ProductRow {
  readonly [column: string]: unknown
  readonly sku: string
  readonly name: string
  readonly description: string
  readonly amount: number
  readonly currency: string
  readonly category: string
  readonly attributes: Readonly<Record<string, string>>
}

const productOf = ({ amount, currency, ...row }: ProductRow): Product => ({
  sku: row.sku,
  name: row.name,
  description: row.description,
  price: { amount, currency },
  category: row.category,
  attributes: row.attributes,
})

const columns = 'sku, name, description, amount, currency, category, attributes'
// A search reads the products one by one, in order of their SKUs, until the page is full: among
// 5,000 products a search that finds nothing took 3 to 6 ms on an embedded engine.
const page = (category: string) =>
  `select ${columns} from product
   where sku > $1 and search like all ($2::text[]) ${category} order by sku limit $3`
const anyCategory = page('')
const oneCategory = page('and category = $4')

const containing = (word: string) => `%${word.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`

export const products = sqlRepository<Products>({
  migrations: [
    {
      id: 'catalog-001-products',
      sql: `
create table product (
  sku text collate "C" primary key,
  name text not null, description text not null,
  amount bigint not null check (amount >= 0), currency text not null,
  category text not null, attributes jsonb not null, search text not null
);
create index product_category on product (category, sku);
`,
    },
  ],
  open: (session) => ({
    find: async (sku) => {
      const text = `select ${columns} from product where sku = $1`
      const [row] = await session.query<ProductRow>(text, [sku])
      return row && productOf(row)
    },
    list: async ({ words, category }, after, limit) => {
      const values = [after, words.map(containing), limit]
      const rows =
        category === undefined
          ? await session.query<ProductRow>(anyCategory, values)
          : await session.query<ProductRow>(oneCategory, [...values, category])
      return rows.map(productOf)
    },
    prices: async (skus) => {
      const rows = await session.query<{ sku: string; amount: number; currency: string }>(
        'select sku, amount, currency from product where sku = any ($1::text[])',
        [skus],
      )
      return new Map(rows.map(({ sku, amount, currency }) => [sku, { amount, currency }]))
    },
    add: (product) => {
      const { sku, name, description, price, category, attributes } = product
      session.touch(sku)
      session.write(
        `insert into product (${columns}, search) values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8)
         on conflict do nothing`,
        [
          ...[sku, name, description, price.amount, price.currency, category],
          ...[JSON.stringify(attributes), searchText(product)],
        ],
        { rows: 1, otherwise: ProductExists({ sku }) },
      )
    },
  }),
})

import { sqlRepository } from 'serval/engines/sql'
import { ProductExists, type Product } from '../contract.ts'
import type { Category, Products } from '../repository.ts'
import { gramsOf, searchText } from '../search.ts'

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
const page = (category: string) =>
  `select ${columns} from product where sku > $1 ${category} order by sku limit $2`

/*
 * A search looks through the next products in order, which soon fills a page when many match; if that did
 * not, it asks the index of parts, which is fast when few match. Among 100,000 products each way alone
 * can take 40 ms on an embedded engine, both together 1 to 3 ms, and 25 ms at worst: when very
 * many match, and none of the first 2,000.
 */
const search = (category: string) => `
with near as materialized (
  select ${columns}, search from product where sku > $1 ${category} order by sku limit 2000
), hit as materialized (
  select ${columns} from near where search like all ($3::text[]) order by sku limit $2
)
select * from hit
union all (
  select ${columns} from product
  where (select count(*) from hit) < $2 and sku > (select max(sku) from near) ${category}
    and product_grams(search) @> $4::text[] and search like all ($3::text[])
  order by sku limit $2
)
order by sku limit $2`

const pageOfAll = page('')
const pageOfCategory = page('and category = $3')
const searchInAll = search('')
const searchInCategory = search('and category = $5')

const valuesOf = (product: Product) => {
  const { sku, name, description, price, category, attributes } = product
  const facts = [sku, name, description, price.amount, price.currency, category]
  return [...facts, JSON.stringify(attributes), searchText(product)]
}

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
    {
      // Drawn from one sequence, so that a SKU that was free in between gets no version again.
      id: 'catalog-002-versions',
      sql: `
create sequence product_version;
alter table product add column version bigint not null default 0;
alter table product alter column version set default nextval('product_version');
`,
    },
    {
      // Every run of one to three characters of the search text. Searches would also have to look through
      // entries that an index puts off, so it puts off none.
      id: 'catalog-003-search',
      sql: `
create function product_grams(search text) returns text[]
immutable strict parallel safe language sql as $grams$
  select array(
    select substr(search, at, size)
    from generate_series(1, 3) size, generate_series(1, length(search) - size + 1) at
  )
$grams$;
create index product_search on product using gin (product_grams(search)) with (fastupdate = off);
`,
    },
  ],
  open: (session) => ({
    find: async (sku) => {
      const text = `select ${columns} from product where sku = $1`
      const [row] = await session.query<ProductRow>(text, [sku])
      return row && productOf(row)
    },
    load: async (sku) => {
      const text = `select ${columns}, version from product where sku = $1`
      const [row] = await session.query<ProductRow & { version: number }>(text, [sku])
      return row && { product: productOf(row), version: row.version }
    },
    list: async ({ words, category }, after, limit) => {
      const rest = category === undefined ? [] : [category]
      const rows =
        words.length === 0
          ? await session.query<ProductRow>(category === undefined ? pageOfAll : pageOfCategory, [
              after,
              limit,
              ...rest,
            ])
          : await session.query<ProductRow>(
              category === undefined ? searchInAll : searchInCategory,
              [after, limit, words.map(containing), gramsOf(words), ...rest],
            )
      return rows.map(productOf)
    },
    categories: () =>
      session.query<Category & Readonly<Record<string, unknown>>>(
        'select category as name, count(*) as products from product group by category',
      ),
    prices: async (skus) => {
      const rows = await session.query<{ sku: string; amount: number; currency: string }>(
        'select sku, amount, currency from product where sku = any ($1::text[])',
        [skus],
      )
      return new Map(rows.map(({ sku, amount, currency }) => [sku, { amount, currency }]))
    },
    add: (product) => {
      session.touch(product.sku)
      session.write(
        `insert into product (${columns}, search) values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8)
         on conflict do nothing`,
        valuesOf(product),
        { rows: 1, otherwise: ProductExists({ sku: product.sku }) },
      )
    },
    save: (product, version) => {
      session.touch(product.sku)
      session.write(
        `update product set name = $2, description = $3, amount = $4, currency = $5, category = $6,
           attributes = $7::jsonb, search = $8, version = nextval('product_version')
         where sku = $1 and version = $9`,
        [...valuesOf(product), version],
        { rows: 1, otherwise: 'again' },
      )
    },
    remove: (sku, version) => {
      session.touch(sku)
      session.write('delete from product where sku = $1 and version = $2', [sku, version], {
        rows: 1,
        otherwise: 'again',
      })
    },
  }),
})

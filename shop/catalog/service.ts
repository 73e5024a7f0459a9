import { pageCursor, requireMatch, service } from 'serval'
import { z } from 'zod'
import { amended, mustHaveFewAttributes, newPrice } from './amendment.ts'
import { categoryPages } from './category-pages.ts'
import { catalog, NoSuchProduct, Product, Sku } from './contract.ts'
import { quoteOf, summed } from './quote.ts'
import { productRepository, type Category } from './repository.ts'
import { searchWords } from './search.ts'

const pages = pageCursor(z.strictObject({ after: Sku }))
const { events } = catalog

/** A page of what was found; one more than asked for tells whether there is another page. */
const pageOf = <T>(found: readonly T[], limit: number, cursorOf: (last: T) => string) => {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return found.length > limit && last !== undefined ? { items, next: cursorOf(last) } : { items }
}

const byName = (categories: readonly Category[]) =>
  categories.toSorted((a, b) => (a.name < b.name ? -1 : 1))

export const catalogService = service(catalog, {
  repositories: { products: productRepository },
  operations: {
    products: async ({ q = '', category, limit, cursor }, { read }) => {
      const after = cursor === undefined ? '' : pages.decode(cursor).after
      const filter = { words: searchWords(q), category }
      const found = await read(({ products }) => products.list(filter, after, limit + 1))
      return pageOf(found, limit, ({ sku }) => pages.encode({ after: sku }))
    },
    product: async ({ sku }, { read }) => {
      const product = await read(({ products }) => products.find(sku))
      if (product === undefined) throw NoSuchProduct({ sku })
      return product
    },
    categories: async ({ limit, cursor }, { read, cache }) => {
      const after = cursor === undefined ? '' : categoryPages.decode(cursor)
      // One for all pages: who asks for many different ones has the products counted once.
      const { value: all } = await cache.read(
        'categories',
        { ttl: '1m', tags: ['categories'] },
        async () => byName(await read(({ products }) => products.categories())),
      )
      const found = all.filter(({ name }) => name > after)
      return pageOf(found, limit, ({ name }) => categoryPages.encode(name))
    },
    create: (product, { step }) => {
      mustHaveFewAttributes(product)
      return step(async ({ products, emit }) => {
        products.add(product)
        emit(events.added, { sku: product.sku, price: product.price })
        return product
      })
    },
    amend: ({ sku, ifMatch, ...amendment }, { step }) =>
      step(async ({ products, emit }) => {
        const loaded = await products.load(sku)
        if (loaded === undefined) throw NoSuchProduct({ sku })
        const before = loaded.product
        requireMatch(ifMatch, Product, before)
        const after = amended(before, amendment)
        if (after === before) return before
        products.save(after, loaded.version)
        const price = newPrice(before, after)
        emit(events.amended, price === undefined ? { sku } : { sku, price })
        return after
      }),
    withdraw: ({ sku, ifMatch }, { step }) =>
      step(async ({ products, emit }) => {
        const loaded = await products.load(sku)
        if (loaded === undefined) throw NoSuchProduct({ sku })
        requireMatch(ifMatch, Product, loaded.product)
        products.remove(sku, loaded.version)
        emit(events.withdrawn, { sku })
        return {}
      }),
    quote: async (input, { read, cache }) => {
      const lines = summed(input.lines)
      // Should a host no longer hear of changes, a price is never older than this.
      const prices = await cache.readMany(
        lines.map(({ sku }) => sku),
        { ttl: '10s', key: (sku) => `price:${sku}`, tags: (sku) => [`product:${sku}`] },
        (missing) => read(({ products }) => products.prices(missing)),
      )
      return quoteOf(lines, new Map([...prices].map(([sku, { value }]) => [sku, value])))
    },
    provide: ({ product }, { step }) =>
      step(async ({ products, emit }) => {
        if ((await products.find(product.sku)) !== undefined) return { added: false }
        products.add(product)
        emit(events.added, { sku: product.sku, price: product.price })
        return { added: true }
      }),
  },
})

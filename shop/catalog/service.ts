import { pageCursor, service } from 'serval'
import { z } from 'zod'
import { catalog, NoSuchProduct, Sku } from './contract.ts'
import { quoteOf, summed } from './quote.ts'
import { productRepository } from './repository.ts'
import { searchWords } from './search.ts'

const pages = pageCursor(z.strictObject({ after: Sku }))

export const catalogService = service(catalog, {
  repositories: { products: productRepository },
  operations: {
    products: async ({ q = '', category, limit, cursor }, { read }) => {
      const after = cursor === undefined ? '' : pages.decode(cursor).after
      const filter = { words: searchWords(q), category }
      // One more than asked for tells whether there is another page.
      const found = await read(({ products }) => products.list(filter, after, limit + 1))
      const items = found.slice(0, limit)
      const last = items.at(-1)
      return found.length > limit && last !== undefined
        ? { items, next: pages.encode({ after: last.sku }) }
        : { items }
    },
    product: async ({ sku }, { read }) => {
      const product = await read(({ products }) => products.find(sku))
      if (product === undefined) throw NoSuchProduct({ sku })
      return product
    },
    create: (product, { step }) =>
      step(async ({ products, emit }) => {
        products.add(product)
        emit(catalog.events.added, { sku: product.sku, price: product.price })
        return product
      }),
    quote: async (input, { read }) => {
      const lines = summed(input.lines)
      const prices = await read(({ products }) => products.prices(lines.map(({ sku }) => sku)))
      return quoteOf(lines, prices)
    },
    provide: ({ product }, { step }) =>
      step(async ({ products }) => {
        if ((await products.find(product.sku)) !== undefined) return { added: false }
        products.add(product)
        return { added: true }
      }),
  },
})

import { command, contract, event, get, post, problem, query } from 'serval'
import { z } from 'zod'
import { Money } from '../money.ts'

/** 1–64 printable ASCII characters, blanks only inside; case-sensitive. */
export const Sku = z
  .string()
  .regex(
    /^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/,
    'A SKU is 1 to 64 printable ASCII characters, with blanks only inside',
  )

export const Product = z.object({
  sku: Sku,
  name: z.string().min(1).max(200),
  description: z.string().max(2_000),
  price: Money,
  category: z.string().min(1).max(100),
  attributes: z.record(z.string().min(1).max(50), z.string().max(200)),
})
export type Product = z.output<typeof Product>

/** Of an order or a quote: 1–1,200 lines, 1–100,000 units each; the same SKU twice is summed. */
export const Lines = z
  .array(z.object({ sku: Sku, quantity: z.int().min(1).max(100_000) }))
  .min(1)
  .max(1_200)

export const QuotedLine = z.object({
  sku: Sku,
  quantity: z.int().min(1),
  price: Money,
  total: Money,
})
export const Quote = z.object({ lines: z.array(QuotedLine), total: Money })
export type Quote = z.output<typeof Quote>

export const NoSuchProduct = problem('no-such-product', {
  kind: 'not-found',
  title: 'There is no such product',
  data: z.object({ sku: z.string() }),
})
export const UnknownSku = problem('unknown-sku', {
  kind: 'unprocessable',
  title: 'A line names a product that does not exist',
  data: z.object({ skus: z.array(z.string()) }),
})
export const MixedCurrencies = problem('mixed-currencies', {
  kind: 'unprocessable',
  title: 'The lines are priced in different currencies',
})
export const TotalTooLarge = problem('total-too-large', {
  kind: 'unprocessable',
  title: 'The total is beyond 2^53−1 minor units',
})
export const ProductExists = problem('product-exists', {
  kind: 'conflict',
  title: 'A product with this SKU exists',
  data: z.object({ sku: z.string() }),
})

export const catalog = contract('catalog', {
  operations: {
    products: query({
      summary: 'Products, by words and category',
      access: 'public',
      http: get('/api/v1/products'),
      input: z.object({
        q: z.string().max(200).optional(),
        category: z.string().max(100).optional(),
        limit: z.int().min(1).max(100).default(20),
        cursor: z.string().max(200).optional(),
      }),
      output: z.object({ items: z.array(Product), next: z.string().optional() }),
    }),
    product: query({
      summary: 'One product',
      access: 'public',
      http: get('/api/v1/products/:sku', { etag: true }),
      input: z.object({ sku: Sku }),
      output: Product,
      problems: [NoSuchProduct],
    }),
    create: command({
      summary: 'Adds a product',
      access: 'role:merchant',
      repeat: 'never',
      http: post('/api/v1/products', { status: 201, location: '/api/v1/products/:sku' }),
      input: Product.extend({
        description: Product.shape.description.default(''),
        attributes: Product.shape.attributes.default({}),
      }),
      output: Product,
      problems: [ProductExists],
    }),
    quote: query({
      summary: 'Prices and total of some lines; not a promise of stock',
      access: 'public',
      http: post('/api/v1/quotes'),
      input: z.object({ lines: Lines }),
      output: Quote,
      problems: [UnknownSku, MixedCurrencies, TotalTooLarge],
    }),
    /** For seeding. */
    provide: command({
      summary: 'Adds a product if it is missing',
      access: 'internal',
      repeat: 'natural',
      input: z.object({ product: Product }),
      output: z.object({ added: z.boolean() }),
    }),
  },
  events: {
    added: event('product.added', {
      version: 1,
      key: 'sku',
      data: z.object({ sku: Sku, price: Money }),
    }),
  },
})

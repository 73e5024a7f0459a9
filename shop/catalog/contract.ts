import { command, contract, del, event, get, patch, post, problem, query } from 'serval'
import { z } from 'zod'
import { Money } from '../money.ts'

/** 1–64 printable ASCII characters, blanks only inside; case-sensitive. */
export const Sku = z
  .string()
  .regex(
    /^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/,
    'A SKU is 1 to 64 printable ASCII characters, with blanks only inside',
  )

const AttributeName = z.string().min(1).max(50)
const attribute = z.string().max(200)

/** Sorted by name: two products that are alike have one JSON text, and so one ETag. */
const Attributes = z
  .record(AttributeName, attribute)
  .overwrite((given) =>
    Object.fromEntries(Object.entries(given).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  )

export const Product = z.object({
  sku: Sku,
  name: z.string().min(1).max(200),
  description: z.string().max(2_000),
  price: Money,
  category: z.string().min(1).max(100),
  attributes: Attributes,
})
export type Product = z.output<typeof Product>

export const mostAttributes = 100

/** A merge patch (RFC 7396) of a product: null takes away what a product may be without. */
export const Amendment = z.object({
  name: Product.shape.name.optional(),
  description: Product.shape.description.nullable().optional(),
  price: Money.partial().optional(),
  category: Product.shape.category.optional(),
  attributes: z.record(AttributeName, attribute.nullable()).nullable().optional(),
})
export type Amendment = z.output<typeof Amendment>

const ifMatch = z.string().max(1_000).optional()
const limit = z.int().min(1).max(100).default(20)

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
export const TooManyAttributes = problem('too-many-attributes', {
  kind: 'unprocessable',
  title: `A product has at most ${mostAttributes} attributes`,
  data: z.object({ attributes: z.int() }),
})
export const ProductExists = problem('product-exists', {
  kind: 'conflict',
  title: 'A product with this SKU exists',
  data: z.object({ sku: z.string() }),
})

const everyReader = ['product::sku', 'products', 'categories']

export const catalog = contract('catalog', {
  operations: {
    products: query({
      summary: 'Products, by words and category',
      access: 'public',
      http: get('/api/v1/products', { etag: true }),
      input: z.object({
        q: z.string().max(200).optional(),
        category: z.string().max(100).optional(),
        limit,
        cursor: z.string().max(200).optional(),
      }),
      output: z.object({ items: z.array(Product), next: z.string().optional() }),
      cache: { ttl: '30s', tags: ['products'] },
    }),
    product: query({
      summary: 'One product',
      access: 'public',
      http: get('/api/v1/products/:sku', { etag: true }),
      input: z.object({ sku: Sku }),
      output: Product,
      problems: [NoSuchProduct],
      cache: { ttl: '5m', staleWhileRevalidate: '1m', tags: ['product::sku'] },
    }),
    categories: query({
      summary: 'Categories, by name, and how many products each has',
      access: 'public',
      http: get('/api/v1/categories', { etag: true }),
      input: z.object({ limit, cursor: z.string().max(1_500).optional() }),
      output: z.object({
        items: z.array(z.object({ name: z.string(), products: z.int().min(1) })),
        next: z.string().optional(),
      }),
      cache: { ttl: '5m', tags: ['categories'] },
    }),
    create: command({
      summary: 'Adds a product',
      access: 'role:merchant',
      repeat: 'never',
      http: post('/api/v1/products', {
        status: 201,
        location: '/api/v1/products/:sku',
        etag: true,
      }),
      input: Product.extend({
        description: Product.shape.description.default(''),
        attributes: Attributes.default({}),
      }),
      output: Product,
      problems: [ProductExists, TooManyAttributes],
    }),
    amend: command({
      summary: 'Changes a product, by a merge patch',
      access: 'role:merchant',
      // A second run could undo what somebody else has changed since the first.
      repeat: 'never',
      http: patch('/api/v1/products/:sku', { etag: true, ifMatch: true }),
      input: Amendment.extend({ sku: Sku, ifMatch }),
      output: Product,
      problems: [NoSuchProduct, TooManyAttributes],
    }),
    withdraw: command({
      summary: 'Takes a product off the catalog; orders that were placed keep their lines',
      access: 'role:merchant',
      // A second run could take off the product that was since created under the same SKU.
      repeat: 'never',
      http: del('/api/v1/products/:sku', { ifMatch: true }),
      input: z.object({ sku: Sku, ifMatch }),
      output: z.object({}),
      problems: [NoSuchProduct],
    }),
    quote: query({
      summary: 'Prices and total of some lines; not a promise of stock',
      access: 'public',
      http: post('/api/v1/quotes'),
      // Anybody may ask, and 1,200 lines are some milliseconds of work.
      limit: { requests: 300, per: '1m', by: 'address' },
      input: z.object({ lines: Lines }),
      output: Quote,
      problems: [UnknownSku, MixedCurrencies, TotalTooLarge],
    }),
    /** For seeding. Where an answer was lost, its repeat adds nothing more, and says so. */
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
      purges: everyReader,
    }),
    /** With the price if that changed. */
    amended: event('product.amended', {
      version: 1,
      key: 'sku',
      data: z.object({ sku: Sku, price: Money.optional() }),
      purges: everyReader,
    }),
    withdrawn: event('product.withdrawn', {
      version: 1,
      key: 'sku',
      data: z.object({ sku: Sku }),
      purges: everyReader,
    }),
  },
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from 'serval'
import { eventually, startTestServices, type TestServices } from 'serval/testing'
import { catalog, type Product } from './contract.ts'
import { demoProducts } from './demo-products.ts'
import { logged } from './logged.suite.ts'
import { catalogService } from './service.ts'

let system: TestServices
let visitor: Client<typeof catalog>
let merchant: Client<typeof catalog>
let seeder: Client<typeof catalog>

const demo: readonly Product[] = demoProducts.map((given) => {
  const { sku, name, description, category, attributes, priceMinor } = given
  const price = { amount: priceMinor, currency: 'GBP' }
  return { sku, name, description, price, category, attributes: { ...attributes } }
})

beforeAll(async () => {
  system = await startTestServices({ services: [catalogService] })
  visitor = system.client(catalog, { kind: 'anonymous' })
  merchant = system.client(catalog, {
    kind: 'user',
    id: 'm',
    roles: ['merchant'],
    session: 's',
  })
  seeder = system.client(catalog, { kind: 'service', name: 'seeding' })
  for (const one of demo) await seeder.provide({ product: one })
})
afterAll(() => system?.end())

const code = (expected: string, data?: unknown) =>
  expect.objectContaining(data === undefined ? { code: expected } : { code: expected, data })
const found = async (filter: { q?: string; category?: string }) =>
  (await visitor.products({ ...filter, limit: 100 })).items.map(({ name }) => name)
const product = (sku: string, rest: Partial<Product> = {}): Product => ({
  sku,
  name: `Product ${sku}`,
  description: '',
  price: { amount: 100, currency: 'GBP' },
  category: 'Oddments',
  attributes: {},
  ...rest,
})

describe('the list', () => {
  test('pages through all products once, by SKU', async () => {
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await visitor.products({ limit: 50, ...(cursor && { cursor }) })
      seen.push(...page.items.map(({ sku }) => sku))
      cursor = page.next
    } while (cursor !== undefined)
    expect(seen).toEqual(demo.map(({ sku }) => sku).toSorted())
    expect((await visitor.products({})).items).toHaveLength(20)
  })

  test('ends without a cursor when the last page is full', async () => {
    const all = demo.filter(({ category }) => category === 'Toys').length
    const page = await visitor.products({ category: 'Toys', limit: all })
    expect(page.items).toHaveLength(all)
    expect(page.next).toBeUndefined()
    expect((await visitor.products({ category: 'Toys', limit: all - 1 })).next).toBeDefined()
  })

  test('finds every word in any of the texts, whatever its case and marks', async () => {
    expect(await found({ q: 'CAFE cafetiere' })).toEqual(['Corner Café Cafetière'])
    expect(await found({ q: 'toys mache' })).toEqual(['Papier-Mâché Puppet Kit'])
    expect(await found({ q: 'café', category: 'Pets' })).toEqual([
      'Café Noir Cat Scratcher',
      'Sparrow Café Bird Feeder',
    ])
    expect(await found({ q: 'café zeppelin' })).toEqual([])
    expect(await found({ category: 'pets' })).toEqual([])
  })

  test('takes the signs of LIKE for what they are', async () => {
    const odd = ['100% wool', 'snake_case', String.raw`back\slash`]
    for (const [n, name] of odd.entries())
      await seeder.provide({ product: product(`odd ${n}`, { name }) })
    expect(await found({ q: '0%' })).toEqual(['100% wool'])
    expect(await found({ q: '_' })).toEqual(['snake_case'])
    expect(await found({ q: '\\' })).toEqual([String.raw`back\slash`])
    expect(await found({ q: '%%' })).toEqual([])
  })

  test('refuses a cursor that it did not make', async () => {
    await expect(visitor.products({ cursor: 'abc' })).rejects.toEqual(
      code('invalid-input', { errors: [{ pointer: '/cursor', message: expect.any(String) }] }),
    )
  })
})

describe('a product', () => {
  test('is created once by a merchant, is read back and is published', async () => {
    const made = product(String.raw`~ "\ /%?#`, { attributes: { colour: 'Red', a: '1' } })
    expect(await merchant.create(made)).toEqual(made)
    expect(await visitor.product({ sku: made.sku })).toEqual(made)
    await expect(merchant.create({ ...made, name: 'Another' })).rejects.toEqual(
      code('product-exists', { sku: made.sku }),
    )
    expect(await visitor.product({ sku: made.sku })).toEqual(made)
    const event = { type: 'product.added.v1', data: { sku: made.sku, price: made.price } }
    expect(await eventually(() => logged(system, made.sku, 1), 'the event')).toEqual([event])
  })

  test('has a description and attributes of its own accord', async () => {
    const { sku, name, price, category } = product('bare')
    expect(await merchant.create({ sku, name, price, category })).toEqual(product('bare'))
  })

  test('is created by one of many callers at once', async () => {
    const calls = Array.from({ length: 16 }, (_, n) =>
      merchant.create(product('raced', { name: `Product ${n}` })),
    )
    const settled = await Promise.allSettled(calls)
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('is not created by others', async () => {
    await expect(visitor.create(product('no'))).rejects.toEqual(code('unauthenticated'))
    const customer = system.client(catalog, { kind: 'user', id: 'u', roles: [], session: 's' })
    await expect(customer.create(product('no'))).rejects.toEqual(code('forbidden'))
    await expect(merchant.provide({ product: product('no') })).rejects.toEqual(code('forbidden'))
  })

  test('that is unknown is not found, in another case too', async () => {
    await expect(visitor.product({ sku: 'kit-0001' })).rejects.toEqual(
      code('no-such-product', { sku: 'kit-0001' }),
    )
  })

  test('is provided only when it is missing, and is published then', async () => {
    const changed = product('KIT-0001', { name: 'Changed' })
    expect(await seeder.provide({ product: changed })).toEqual({ added: false })
    expect((await visitor.product({ sku: 'KIT-0001' })).name).toBe('Bramblecote Casserole')
    expect(await seeder.provide({ product: product('new') })).toEqual({ added: true })
    const event = { type: 'product.added.v1', data: { sku: 'new', price: product('new').price } }
    expect(await eventually(() => logged(system, 'new', 1), 'the event')).toEqual([event])
  })

  test('has at most 100 attributes', async () => {
    const attributes = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, '']))
    await expect(merchant.create(product('many', { attributes: attributes(101) }))).rejects.toEqual(
      code('too-many-attributes', { attributes: 101 }),
    )
    await merchant.create(product('many', { attributes: attributes(100) }))
  })
})

describe('a quote', () => {
  test('prices its lines, the same SKU summed', async () => {
    const lines = [
      { sku: 'KIT-0001', quantity: 1 },
      { sku: 'KIT-0002', quantity: 100_000 },
      { sku: 'KIT-0001', quantity: 2 },
    ]
    const pounds = (amount: number) => ({ amount, currency: 'GBP' })
    expect(await visitor.quote({ lines })).toEqual({
      lines: [
        { sku: 'KIT-0001', quantity: 3, price: pounds(8_900), total: pounds(26_700) },
        { sku: 'KIT-0002', quantity: 100_000, price: pounds(3_450), total: pounds(345_000_000) },
      ],
      total: pounds(345_026_700),
    })
  })

  test('of unknown SKUs, mixed currencies or too much money is refused', async () => {
    const line = (sku: string) => ({ sku, quantity: 2 })
    const dear = { amount: Number.MAX_SAFE_INTEGER, currency: 'GBP' }
    await seeder.provide({ product: product('dear', { price: dear }) })
    const euro = { amount: 1, currency: 'EUR' }
    await seeder.provide({ product: product('euro', { price: euro }) })
    await expect(visitor.quote({ lines: [line('x'), line('dear'), line('y')] })).rejects.toEqual(
      code('unknown-sku', { skus: ['x', 'y'] }),
    )
    await expect(visitor.quote({ lines: [line('dear'), line('euro')] })).rejects.toEqual(
      code('mixed-currencies'),
    )
    await expect(visitor.quote({ lines: [line('dear')] })).rejects.toEqual(code('total-too-large'))
  })
})

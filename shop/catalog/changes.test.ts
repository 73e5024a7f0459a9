import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from 'serval'
import { eventually, startTestServices, type TestServices } from 'serval/testing'
import { catalog, type Product } from './contract.ts'
import { logged } from './logged.suite.ts'
import { catalogService } from './service.ts'

let system: TestServices
let visitor: Client<typeof catalog>
let merchant: Client<typeof catalog>

beforeAll(async () => {
  system = await startTestServices({ services: [catalogService] })
  visitor = system.client(catalog, { kind: 'anonymous' })
  merchant = system.client(catalog, { kind: 'user', id: 'm', roles: ['merchant'], session: 's' })
})
afterAll(() => system?.end())

const code = (expected: string, data?: unknown) =>
  expect.objectContaining(data === undefined ? { code: expected } : { code: expected, data })
const pounds = (amount: number) => ({ amount, currency: 'GBP' })
const product = (sku: string, rest: Partial<Product> = {}): Product => ({
  sku,
  name: `Product ${sku}`,
  description: '',
  price: pounds(100),
  category: 'Oddments',
  attributes: {},
  ...rest,
})
const events = (sku: string, count: number) =>
  eventually(() => logged(system, sku, count), `${count} events of ${sku}`)
const names = async (q: string) => (await visitor.products({ q })).items.map(({ name }) => name)
const allCategories = async () => (await visitor.categories({ limit: 100 })).items

describe('an amended product', () => {
  test('is answered, read, listed, found and quoted as it is now, and published', async () => {
    const sku = String.raw`a "b" \ ~%/?#+:'`
    const made = product(sku, { attributes: { colour: 'Red', size: 'M' } })
    await merchant.create(made)
    const lines = [{ sku, quantity: 2 }]
    expect((await visitor.quote({ lines })).total).toEqual(pounds(200))
    const changed = await merchant.amend({
      sku,
      name: 'Zebra crossing',
      price: { amount: 250 },
      category: 'Streets',
      attributes: { colour: null, lanes: '2' },
    })
    expect(changed).toEqual({
      ...made,
      name: 'Zebra crossing',
      price: pounds(250),
      category: 'Streets',
      attributes: { lanes: '2', size: 'M' },
    })
    expect(await visitor.product({ sku })).toEqual(changed)
    expect(await names('zebra')).toEqual(['Zebra crossing'])
    expect(await names('product streets')).toEqual([])
    expect((await visitor.products({ category: 'Streets' })).items).toEqual([changed])
    expect((await visitor.quote({ lines })).total).toEqual(pounds(500))
    expect(await events(sku, 2)).toEqual([
      { type: 'product.added.v1', data: { sku, price: pounds(100) } },
      { type: 'product.amended.v1', data: { sku, price: pounds(250) } },
    ])
  })

  test('has a price in its event only when that changed', async () => {
    await merchant.create(product('still'))
    await merchant.amend({ sku: 'still', name: 'Still', price: { amount: 100 } })
    expect((await events('still', 2)).at(-1)).toEqual({
      type: 'product.amended.v1',
      data: { sku: 'still' },
    })
  })

  test('is not published when nothing changes', async () => {
    await merchant.create(product('same', { attributes: { b: '1', a: '2' } }))
    const same = await merchant.amend({ sku: 'same', attributes: { a: '2', none: null } })
    expect(same).toEqual(product('same', { attributes: { a: '2', b: '1' } }))
    await merchant.amend({ sku: 'same' })
    await merchant.amend({ sku: 'same', name: 'Other' })
    expect((await events('same', 2)).map(({ type }) => type)).toEqual([
      'product.added.v1',
      'product.amended.v1',
    ])
  })

  test('must exist, and is amended by merchants only', async () => {
    await expect(merchant.amend({ sku: 'nobody', name: 'x' })).rejects.toEqual(
      code('no-such-product', { sku: 'nobody' }),
    )
    await expect(visitor.amend({ sku: 'same', name: 'x' })).rejects.toEqual(code('unauthenticated'))
    const customer = system.client(catalog, { kind: 'user', id: 'u', roles: [], session: 's' })
    await expect(customer.amend({ sku: 'same', name: 'x' })).rejects.toEqual(code('forbidden'))
    await expect(customer.withdraw({ sku: 'same' })).rejects.toEqual(code('forbidden'))
  })
})

describe('a withdrawn product', () => {
  test('is in no list, read, quote or category, and comes back as another', async () => {
    const sku = 'gone  for good'
    const lines = [{ sku, quantity: 1 }]
    await merchant.create(product(sku, { name: 'Vanishing cream', category: 'Magic' }))
    await visitor.quote({ lines })
    expect(await merchant.withdraw({ sku })).toEqual({})
    await expect(visitor.product({ sku })).rejects.toEqual(code('no-such-product', { sku }))
    await expect(visitor.quote({ lines })).rejects.toEqual(code('unknown-sku', { skus: [sku] }))
    await expect(merchant.amend({ sku, name: 'x' })).rejects.toEqual(code('no-such-product'))
    await expect(merchant.withdraw({ sku })).rejects.toEqual(code('no-such-product', { sku }))
    expect(await names('vanishing')).toEqual([])
    expect((await visitor.products({ category: 'Magic' })).items).toEqual([])
    expect((await allCategories()).map(({ name }) => name)).not.toContain('Magic')

    await merchant.create(product(sku, { name: 'Reappearing ink', price: pounds(7) }))
    expect(await visitor.product({ sku })).toEqual(
      product(sku, { name: 'Reappearing ink', price: pounds(7) }),
    )
    expect((await visitor.quote({ lines })).total).toEqual(pounds(7))
    expect(await events(sku, 3)).toEqual([
      { type: 'product.added.v1', data: { sku, price: pounds(100) } },
      { type: 'product.withdrawn.v1', data: { sku } },
      { type: 'product.added.v1', data: { sku, price: pounds(7) } },
    ])
  })
})

describe('the categories', () => {
  const countOf = async (name: string) =>
    (await allCategories()).find((one) => one.name === name)?.products

  test('count their products, right after each change', async () => {
    for (const sku of ['k1', 'k2', 'k3']) await merchant.create(product(sku, { category: 'Kites' }))
    expect(await countOf('Kites')).toBe(3)
    await merchant.amend({ sku: 'k1', category: 'Balloons' })
    expect(await countOf('Kites')).toBe(2)
    expect(await countOf('Balloons')).toBe(1)
    await merchant.withdraw({ sku: 'k1' })
    expect(await countOf('Balloons')).toBeUndefined()
  })

  test('come in pages, by name, whatever they are called', async () => {
    const odd = [
      '~',
      '%',
      '漢字',
      'Café & Thé',
      'a/b?c=d',
      '"',
      '𝔘',
      'x'.repeat(100),
      '語'.repeat(100),
    ]
    for (const [n, category] of odd.entries())
      await merchant.create(product(`odd-${n}`, { category }))
    const all = await allCategories()
    expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining(odd))
    const seen: unknown[] = []
    let cursor: string | undefined
    do {
      const page = await visitor.categories({ limit: 1, ...(cursor && { cursor }) })
      expect(page.items).toHaveLength(1)
      seen.push(...page.items)
      cursor = page.next
    } while (cursor !== undefined)
    expect(seen).toEqual(all)
  })

  test.each(['abc', '%', '{"after":"%zz"}', '{"after":"%00"}', '{"after":"é"}', '{"after":"%41"}'])(
    'refuse the cursor %s, which they did not make',
    async (text) => {
      const cursor = text.startsWith('{') ? btoa(text).replace(/=+$/, '') : text
      await expect(visitor.categories({ cursor })).rejects.toEqual(code('invalid-input'))
    },
  )
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { amended, newPrice } from './amendment.ts'
import { Amendment, Product } from './contract.ts'

const product: Product = {
  sku: 'A',
  name: 'Cup',
  description: 'Holds tea',
  price: { amount: 100, currency: 'GBP' },
  category: 'Tableware',
  attributes: { colour: 'Red', size: '300 ml' },
}
const accepted = (patch: unknown) => Amendment.safeParse(patch).success

describe('an amendment', () => {
  test.each([
    [{ name: 'Mug' }, { name: 'Mug' }],
    [{ description: null }, { description: '' }],
    [{ price: { amount: 5 } }, { price: { amount: 5, currency: 'GBP' } }],
    [{ price: { currency: 'EUR' } }, { price: { amount: 100, currency: 'EUR' } }],
    [{ attributes: { size: null } }, { attributes: { colour: 'Red' } }],
    [{ attributes: { size: '1 l' } }, { attributes: { colour: 'Red', size: '1 l' } }],
    [{ attributes: null }, { attributes: {} }],
    [
      { attributes: { colour: null, size: null, lid: 'no', odd: null } },
      { attributes: { lid: 'no' } },
    ],
    [
      { name: 'Mug', category: 'Kitchen', attributes: {} },
      { name: 'Mug', category: 'Kitchen' },
    ],
  ])('%j changes %j and nothing else', (patch, changes) => {
    expect(amended(product, Amendment.parse(patch))).toEqual({ ...product, ...changes })
  })

  test.each([{}, { price: {} }, { attributes: {} }, { name: 'Cup', attributes: { none: null } }])(
    '%j changes nothing',
    (patch) => expect(amended(product, Amendment.parse(patch))).toBe(product),
  )

  test.each([
    { name: null },
    { name: '' },
    { category: null },
    { price: null },
    { price: { amount: null } },
    { price: { amount: -1 } },
    { price: { amount: 0.5 } },
    { price: { amount: 2 ** 53 } },
    { price: { currency: 'pounds' } },
    { price: 'free' },
    { attributes: ['red'] },
    { attributes: { colour: 1 } },
    { attributes: { colour: { light: 'red' } } },
    { attributes: { '': 'x' } },
    { attributes: { long: 'x'.repeat(201) } },
    { description: 'x'.repeat(2_001) },
  ])('%j is refused', (patch) => {
    expect(accepted(patch)).toBe(false)
  })

  test('cannot make a product of more than 100 attributes, a little at a time', () => {
    const names = Array.from({ length: 100 }, (_, n) => `a${n}`)
    const full = { ...product, attributes: Object.fromEntries(names.map((name) => [name, 'x'])) }
    const tooMany = expect.objectContaining({
      code: 'too-many-attributes',
      data: { attributes: 101 },
    })
    expect(() => amended(full, { attributes: { one: 'more' } })).toThrow(tooMany)
    const swapped = amended(full, { attributes: { one: 'more', a0: null } })
    expect(Object.keys(swapped.attributes)).toHaveLength(100)
    const none = Object.fromEntries(names.map((name) => [name, null]))
    expect(amended(full, { attributes: none }).attributes).toEqual({})
  })

  test('leaves a product that the contract allows, and has the same effect a second time', () => {
    const attribute = fc.constantFrom('a', 'b', 'c', '10', '9')
    const text = fc.string({ minLength: 1, maxLength: 20 })
    const patches = fc.record(
      {
        name: text,
        description: fc.option(text),
        price: fc.record({ amount: fc.maxSafeNat() }, { requiredKeys: [] }),
        category: text,
        attributes: fc.option(fc.dictionary(attribute, fc.option(text))),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.dictionary(attribute, text), patches, (attributes, patch) => {
        const before = Product.parse({ ...product, attributes })
        const after = amended(before, patch)
        expect(JSON.stringify(Product.parse(after))).toBe(JSON.stringify(after))
        expect(amended(after, patch)).toBe(after)
        expect(after.sku).toBe(before.sku)
      }),
    )
  })
})

test('a price is new when its amount or its currency is', () => {
  const priced = (amount: number, currency: string) => ({ ...product, price: { amount, currency } })
  expect(newPrice(product, { ...product, name: 'Mug' })).toBeUndefined()
  expect(newPrice(product, priced(1, 'GBP'))).toEqual({ amount: 1, currency: 'GBP' })
  expect(newPrice(product, priced(100, 'EUR'))).toEqual({ amount: 100, currency: 'EUR' })
})

test('products that are alike have one JSON text, whatever the order of their attributes', () => {
  const turned = { ...product, attributes: { size: '300 ml', colour: 'Red' } }
  expect(JSON.stringify(Product.parse(turned))).toBe(JSON.stringify(Product.parse(product)))
})

import { catalog, mostAttributes } from '../../catalog/contract.ts'
import { anonymous, askRaw, merchant, other, refused, userOf, type Stage } from './stage.suite.ts'

const price = (amount: number, currency = 'GBP') => ({ amount, currency })
const named = (sku: string, more: object = {}) => ({
  sku,
  name: `Product ${sku} – ünï 🐈`,
  description: 'Line one\nline “two”\u2028three',
  price: price(250),
  category: 'Tests',
  attributes: { b: '2', a: '1', '10': 'ten' },
  ...more,
})

export const catalogScript = async (stage: Stage): Promise<void> => {
  const shop = stage.client(catalog, merchant)
  const anybody = stage.client(catalog, anonymous)

  await stage.client(catalog, other).provide({ product: named('TEA') })
  await stage.client(catalog, other).provide({ product: named('TEA') })
  for (const sku of ['A/B C?', 'DEAR'])
    await stage.client(catalog, other).provide({ product: named(sku) })
  await shop.create({ sku: 'BARE', name: 'Bare', price: price(0), category: 'Ünïcode' })
  await shop.create(named('EURO', { price: price(9_007_199_254_740_991, 'EUR') }))
  await shop.create(named('LARGE', { price: price(9_007_199_254_740_991) }))
  await refused('product-exists', shop.create(named('TEA')))
  const attributes = Object.fromEntries(
    Array.from({ length: mostAttributes + 1 }, (_, n) => [`n${n}`, 'x']),
  )
  await refused('too-many-attributes', shop.create(named('MANY', { attributes })))

  await anybody.product({ sku: 'TEA' })
  await anybody.product({ sku: 'A/B C?' })
  await refused('no-such-product', anybody.product({ sku: 'NONE' }))
  const page = await anybody.products({ limit: 2 })
  await anybody.products({ limit: 2, ...(page.next !== undefined && { cursor: page.next }) })
  await anybody.products({ q: 'nothing is called so' })
  const first = await anybody.categories({ limit: 1 })
  await anybody.categories({ limit: 1, ...(first.next !== undefined && { cursor: first.next }) })
  await refused('invalid-input', anybody.products({ cursor: 'no cursor' }))

  await shop.amend({ sku: 'TEA', description: null, attributes: { a: null, c: '3' } })
  await shop.amend({ sku: 'TEA', price: { amount: 300 } })
  await refused('precondition-failed', shop.amend({ sku: 'TEA', ifMatch: '"x"', name: 'Other' }))
  await refused('no-such-product', shop.amend({ sku: 'NONE', name: 'Other' }))
  await refused('too-many-attributes', shop.amend({ sku: 'TEA', attributes }))
  await shop.withdraw({ sku: 'BARE' })
  await refused('no-such-product', shop.withdraw({ sku: 'BARE' }))

  const lines = (...skus: readonly string[]) => skus.map((sku) => ({ sku, quantity: 2 }))
  await anybody.quote({ lines: lines('TEA', 'DEAR', 'TEA') })
  await refused('unknown-sku', anybody.quote({ lines: lines('TEA', 'NONE') }))
  await refused('mixed-currencies', anybody.quote({ lines: lines('TEA', 'EURO') }))
  await refused('total-too-large', anybody.quote({ lines: lines('LARGE') }))

  const manyLines = Array.from({ length: 1_200 }, (_, n) => ({ sku: `NONE-${n}`, quantity: 1 }))
  await refused('unknown-sku', anybody.quote({ lines: manyLines }))
  for (const caller of [anonymous, userOf('somebody'), userOf('an-admin', 'admin')])
    await refused(
      caller.kind === 'anonymous' ? 'unauthenticated' : 'forbidden',
      askRaw(stage, catalog, 'create', caller, named('NOT')),
    )
  await refused('forbidden', askRaw(stage, catalog, 'provide', merchant, { product: named('NOT') }))

  // What a newer caller says more is passed over, and refused only at the public edge.
  const newer = { sku: 'TEA', more: { than: 'is known' }, price: undefined }
  await askRaw(stage, catalog, 'product', anonymous, newer)
  await refused(
    'invalid-input',
    askRaw(stage, catalog, 'product', anonymous, newer, { strict: true }),
  )
  for (const input of [undefined, null, [], 7, 'text', { sku: null }, { sku: '\ud800' }])
    await refused('invalid-input', askRaw(stage, catalog, 'product', anonymous, input))
  for (const quantity of [-0, 0, 1.5, 2 ** 53, 1e21, '1', true])
    await refused(
      'invalid-input',
      askRaw(stage, catalog, 'quote', anonymous, { lines: [{ sku: 'TEA', quantity }] }),
    )
}

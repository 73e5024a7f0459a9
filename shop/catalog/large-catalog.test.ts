import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from 'serval'
import { pglite } from 'serval/engines/pglite'
import { startTestServices, type TestServices } from 'serval/testing'
import { catalog } from './contract.ts'
import { searchText, searchWords } from './search.ts'
import { catalogService } from './service.ts'

/* More products than a search looks through before it asks its index: it finds the same ones all the same. */

const count = 2_600
const words = ['lamp', 'kettle', 'é', 'café', 'ax', '100%', 'snake_case', '漢字', 'straße']
const products = Array.from({ length: count }, (_, n) => {
  const sku = `P-${String(n).padStart(5, '0')}`
  const word = words[n % words.length] ?? ''
  // Few at the very end, which the first look does not reach; some common ones everywhere.
  const rare = n >= count - 3 ? `needle ${word}` : n === 10 ? 'needle' : ''
  return {
    sku,
    name: `Thing ${n}`,
    description: n % 400 === 0 ? `${word} haystack` : rare,
    category: n % 2 === 0 ? 'Even' : 'Odd',
  }
})

let system: TestServices
let visitor: Client<typeof catalog>

beforeAll(async () => {
  const server = pglite({})
  system = await startTestServices({ services: [catalogService], server })
  visitor = system.client(catalog, { kind: 'anonymous' })
  const { transaction } = await server.open('catalog')
  const rows = products.map((product) => ({ ...product, search: searchText(product) }))
  await transaction(async (session) =>
    session.write(
      `insert into product (sku, name, description, amount, currency, category, attributes, search)
       select sku, name, description, 1, 'GBP', category, '{}', search
       from jsonb_to_recordset($1::jsonb)
         as row (sku text, name text, description text, category text, search text)`,
      [JSON.stringify(rows)],
    ),
  )
}, 60_000)
afterAll(() => system?.end())

/** All pages of a search, and what reading every product would find. */
const both = async (q: string, category: string | undefined, limit: number) => {
  const found: string[] = []
  let cursor: string | undefined
  do {
    const page = await visitor.products({
      q,
      limit,
      ...(category !== undefined && { category }),
      ...(cursor !== undefined && { cursor }),
    })
    found.push(...page.items.map(({ sku }) => sku))
    cursor = page.next
  } while (cursor !== undefined)
  const wanted = searchWords(q)
  const expected = products
    .filter((product) => category === undefined || product.category === category)
    .filter((product) => wanted.every((word) => searchText(product).includes(word)))
    .map(({ sku }) => sku)
  return { found, expected }
}

describe('a search of a large catalog', () => {
  test.each([
    ['needle', undefined, 2, 4],
    ['needle', undefined, 100, 4],
    ['needle', 'Odd', 1, 2],
    ['haystack', undefined, 3, 7],
    ['haystack', 'Odd', 3, 0],
    ['thing 25', undefined, 100, 155],
    ['thing 2599', undefined, 20, 1],
    ['CAFE needle', undefined, 20, undefined],
    ['é needle', undefined, 20, undefined],
    ['ax haystack', undefined, 20, undefined],
    ['% haystack', undefined, 20, undefined],
    ['_', undefined, 20, undefined],
    ['漢字', undefined, 20, undefined],
    ['漢', undefined, 20, undefined],
    ['strasse', undefined, 20, undefined],
    ['absent', undefined, 20, 0],
    ['x', 'Odd', 20, undefined],
  ] as const)(
    'for %j in %s, by %i, finds all and nothing else',
    async (q, category, limit, size) => {
      const { found, expected } = await both(q, category, limit)
      expect(found).toEqual(expected)
      if (size !== undefined) expect(found).toHaveLength(size)
    },
  )

  test('lists every category with its count', async () => {
    expect((await visitor.categories({})).items).toEqual([
      { name: 'Even', products: count / 2 },
      { name: 'Odd', products: count / 2 },
    ])
  })
})

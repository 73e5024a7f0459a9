import fc from 'fast-check'
import { asFailure } from 'serval'
import { startTestServices, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { catalog } from '../catalog/contract.ts'
import { catalogService } from '../catalog/service.ts'
import { priced, type Line } from './pricing.ts'

/* What orders makes of copied prices is what the catalog itself quotes. */

const most = Number.MAX_SAFE_INTEGER
const prices = new Map(
  (
    [
      ['A', 250, 'GBP'],
      ['B', 0, 'GBP'],
      ['C', most, 'GBP'],
      ['D', 90_071_992_547, 'GBP'],
      ['E', 1_299, 'EUR'],
    ] as const
  ).map(([sku, amount, currency]) => [sku, { amount, currency }]),
)

let system: TestServices
beforeAll(async () => {
  system = await startTestServices({ services: [catalogService] })
  for (const [sku, price] of prices) {
    const product = { sku, name: sku, description: '', price, category: 'Tests', attributes: {} }
    await system.client(catalog, { kind: 'service', name: 'test' }).provide({ product })
  }
}, 60_000)
afterAll(() => system.end())

const quoted = (lines: Line[]) =>
  system
    .client(catalog, { kind: 'anonymous' })
    .quote({ lines })
    .catch((error: unknown) => asFailure(error).code)
const ours = (lines: Line[]) => {
  try {
    return priced(lines, prices)
  } catch (error) {
    return asFailure(error).code
  }
}

test('whatever the lines, total and problem are the catalog’s', async () => {
  const seen = new Set<string>()
  const line = fc.record({
    sku: fc.constantFrom(...prices.keys()),
    quantity: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 100_000 })),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 5 }), async (lines) => {
      const theirs = await quoted(lines)
      expect(ours(lines)).toEqual(theirs)
      seen.add(typeof theirs === 'string' ? theirs : 'a quote')
    }),
    { numRuns: 300 },
  )
  expect(seen).toEqual(new Set(['a quote', 'mixed-currencies', 'total-too-large']))
})

test('the largest total is 2^53−1, and no unit more', () => {
  expect(ours([{ sku: 'C', quantity: 1 }])).toMatchObject({ total: { amount: most } })
  expect(
    ours([
      { sku: 'C', quantity: 1 },
      { sku: 'A', quantity: 1 },
    ]),
  ).toBe('total-too-large')
})

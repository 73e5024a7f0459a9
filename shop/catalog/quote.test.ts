import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Money } from '../money.ts'
import { quoteOf, summed } from './quote.ts'

const most = Number.MAX_SAFE_INTEGER
const pounds = (amount: number): Money => ({ amount, currency: 'GBP' })
const code = (expected: string) => expect.objectContaining({ code: expected })

const sku = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const lines = fc.array(fc.record({ sku, quantity: fc.integer({ min: 1, max: 100_000 }) }), {
  minLength: 1,
  maxLength: 20,
})
const amount = fc.oneof(fc.nat(1_000_000), fc.integer({ min: 0, max: most }))

describe('a quote', () => {
  test('is exact to the last minor unit, or refused as too large', () => {
    const amounts = fc.record({ a: amount, b: amount, c: amount, d: amount, e: amount })
    fc.assert(
      fc.property(lines, amounts, (given, priceOf) => {
        const prices = new Map(Object.entries(priceOf).map(([name, one]) => [name, pounds(one)]))
        const exact = given.reduce(
          (sum, line) => sum + BigInt(line.quantity) * BigInt(prices.get(line.sku)?.amount ?? 0),
          0n,
        )
        const decide = () => quoteOf(summed(given), prices)
        if (exact > BigInt(most)) {
          expect(decide).toThrow(code('total-too-large'))
          return
        }
        const quote = decide()
        expect(BigInt(quote.total.amount)).toBe(exact)
        const sums = quote.lines.map((line) => BigInt(line.total.amount))
        expect(sums.reduce((sum, one) => sum + one, 0n)).toBe(exact)
        expect(new Set(quote.lines.map((line) => line.sku)).size).toBe(quote.lines.length)
      }),
    )
  })

  test('reaches 2^53−1 and not one more', () => {
    const prices = new Map([
      ['most', pounds(most)],
      ['one', pounds(1)],
    ])
    expect(quoteOf([{ sku: 'most', quantity: 1 }], prices).total).toEqual(pounds(most))
    const beyond = [
      { sku: 'most', quantity: 1 },
      { sku: 'one', quantity: 1 },
    ]
    expect(() => quoteOf(beyond, prices)).toThrow(code('total-too-large'))
    expect(() => quoteOf([{ sku: 'most', quantity: 100_000 }], prices)).toThrow(
      code('total-too-large'),
    )
  })

  test('names every SKU that is unknown, before anything else that is wrong', () => {
    const prices = new Map([
      ['a', pounds(most)],
      ['b', { amount: 1, currency: 'EUR' }],
    ])
    const given = ['a', 'x', 'b', 'y'].map((name) => ({ sku: name, quantity: 2 }))
    expect(() => quoteOf(given, prices)).toThrow(
      expect.objectContaining({ code: 'unknown-sku', data: { skus: ['x', 'y'] } }),
    )
  })

  test('is in one currency', () => {
    const prices = new Map([
      ['a', pounds(1)],
      ['b', { amount: 1, currency: 'EUR' }],
    ])
    const given = ['a', 'b'].map((name) => ({ sku: name, quantity: 1 }))
    expect(() => quoteOf(given, prices)).toThrow(code('mixed-currencies'))
  })
})

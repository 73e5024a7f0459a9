import type { Money } from '../money.ts'
import { MixedCurrencies, TotalTooLarge, UnknownSku, type Quote } from './contract.ts'

export interface Line {
  readonly sku: string
  readonly quantity: number
}

/** Lines of one SKU become one line, where the first of them stood. */
export const summed = (lines: readonly Line[]): readonly Line[] => {
  const quantities = new Map<string, number>()
  for (const { sku, quantity } of lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity)
  return [...quantities].map(([sku, quantity]) => ({ sku, quantity }))
}

const amount = (exact: bigint): number => {
  if (exact > BigInt(Number.MAX_SAFE_INTEGER)) throw TotalTooLarge(undefined)
  return Number(exact)
}

/**
 * What the lines, one a SKU, cost. Throws UnknownSku, MixedCurrencies or TotalTooLarge, in this
 * order. Sums are made with BigInt: a price may be 2^53−1 itself.
 */
export const quoteOf = (lines: readonly Line[], prices: ReadonlyMap<string, Money>): Quote => {
  const unknown: string[] = []
  const priced = lines.flatMap(({ sku, quantity }) => {
    const price = prices.get(sku)
    if (price === undefined) unknown.push(sku)
    return price === undefined ? [] : [{ sku, quantity, price }]
  })
  if (unknown.length > 0) throw UnknownSku({ skus: unknown })
  const [first, ...others] = new Set(priced.map(({ price }) => price.currency))
  if (first === undefined) throw new RangeError('a quote has at least one line')
  if (others.length > 0) throw MixedCurrencies(undefined)
  let total = 0n
  const quoted = priced.map(({ sku, quantity, price }) => {
    const exact = BigInt(price.amount) * BigInt(quantity)
    total += exact
    return { sku, quantity, price, total: { amount: amount(exact), currency: first } }
  })
  return { lines: quoted, total: { amount: amount(total), currency: first } }
}

import { MixedCurrencies, TotalTooLarge, type Quote } from '../catalog/contract.ts'
import type { Money } from '../money.ts'

export interface Line {
  readonly sku: string
  readonly quantity: number
}

const amount = (exact: bigint): number => {
  if (exact > BigInt(Number.MAX_SAFE_INTEGER)) throw TotalTooLarge(undefined)
  return Number(exact)
}

/**
 * What the catalog would quote at these unit prices: lines of one SKU are summed where the first of them stood, and sums are exact. Every SKU has a price.
 * Throws MixedCurrencies or TotalTooLarge.
 */
export const priced = (lines: readonly Line[], prices: ReadonlyMap<string, Money>): Quote => {
  const quantities = new Map<string, number>()
  for (const { sku, quantity } of lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity)
  const units = [...quantities].map(([sku, quantity]) => {
    const price = prices.get(sku)
    if (price === undefined) throw new RangeError(`there is no price of ${sku}`)
    return { sku, quantity, price }
  })
  const [currency, ...others] = new Set(units.map(({ price }) => price.currency))
  if (currency === undefined) throw new RangeError('an order has at least one line')
  if (others.length > 0) throw MixedCurrencies(undefined)
  let total = 0n
  const quoted = units.map(({ sku, quantity, price }) => {
    const exact = BigInt(price.amount) * BigInt(quantity)
    total += exact
    return { sku, quantity, price, total: { amount: amount(exact), currency } }
  })
  return { lines: quoted, total: { amount: amount(total), currency } }
}

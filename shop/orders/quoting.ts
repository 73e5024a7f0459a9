import { asFailure, isUnavailability } from 'serval'
import type { Quote } from '../catalog/contract.ts'
import type { Money } from '../money.ts'
import type { OrderContext } from './parts.ts'
import { priced, type Line } from './pricing.ts'

/*
 * Prices come from the catalog. While it is away, a copy of what it said lately stands in, so that customers can go on ordering; the order says so. The copy is
 * kept by SKU, so that it helps baskets that nobody has ordered before.
 */

/** Renewed by each order, though not more than once a second. */
const copies = { ttl: '1s', staleFor: '5m', key: (sku: string) => `price:${sku}` } as const

/** How long the catalog may take: there must be time left to place the order with the copy. */
const patienceMs = 3_000

export interface OrderQuote extends Quote {
  /** When these were the catalog's prices, in milliseconds; undefined when they still are. */
  readonly quotedAt: number | undefined
}

type Parts = Pick<OrderContext, 'cache' | 'env' | 'log' | 'signal' | 'uses'>

/** The quote of a copy that has every SKU; otherwise rejects with the catalog's failure. */
const quoteOfCopy = async (
  failed: unknown,
  lines: readonly Line[],
  { cache, env, log }: Parts,
): Promise<OrderQuote> => {
  const skus = lines.map(({ sku }) => sku)
  const found = await cache.readMany<Money>(skus, copies, () => Promise.reject(failed))
  const quote = priced(lines, new Map([...found].map(([sku, { value }]) => [sku, value])))
  const age = Math.max(...[...found.values()].map((one) => one.age))
  log.warn('the catalog is away: an order is placed with copied prices', { ageMs: age }, failed)
  return { ...quote, quotedAt: env.now() - age }
}

/** What the lines cost. Rejects with the catalog's problems; with its unavailability only when there is no copy. */
export const quoteLines = async (lines: readonly Line[], context: Parts): Promise<OrderQuote> => {
  const { cache, signal, uses } = context
  let quote: Quote
  try {
    quote = await uses.catalog.quote({ lines: [...lines] }, { deadlineMs: patienceMs })
  } catch (error) {
    // Nobody waits for an order whose caller has left.
    if (signal.aborted || !isUnavailability(asFailure(error))) throw error
    return quoteOfCopy(error, lines, context)
  }
  const prices = new Map(quote.lines.map(({ sku, price }) => [sku, price]))
  await cache.readMany<Money>(prices.keys(), copies, async () => prices)
  return { ...quote, quotedAt: undefined }
}

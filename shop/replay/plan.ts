import type { Row } from './csv.ts'

export interface PlannedProduct {
  readonly sku: string
  readonly name: string
  readonly priceMinor: number
  /** What the planned orders need. */
  readonly quantity: number
}

export interface PlannedCustomer {
  readonly email: string
  readonly name: string
}

export interface PlannedOrder {
  readonly invoice: string
  /** Milliseconds since the epoch, of its first line. */
  readonly at: number
  readonly customer: PlannedCustomer
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  /** Each line's quantity × the SKU's price. */
  readonly totalMinor: number
}

/** What a file asks for: orders in the order of their time, and what they need. */
export interface Plan {
  readonly orders: readonly PlannedOrder[]
  readonly products: readonly PlannedProduct[]
  readonly customers: readonly PlannedCustomer[]
  readonly lines: number
  readonly file: {
    readonly rows: number
    readonly orders: number
    readonly lines: number
    readonly leftOut: number
  }
}

/** The middle of some whole numbers; of an even count, the mean of the middle two, half a unit up. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted[sorted.length >> 1]
  if (middle === undefined) throw new RangeError('no numbers have no median')
  if (sorted.length % 2 === 1) return middle
  return Math.floor((middle + (sorted[(sorted.length >> 1) - 1] ?? middle) + 1) / 2)
}

/** The commonest; of equally common ones, the first. */
const commonest = (counts: ReadonlyMap<string, number> = new Map()): string | undefined => {
  let best: string | undefined
  let most = 0
  for (const [text, count] of counts) if (count > most) [best, most] = [text, count]
  return best
}

const slug = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '') || 'nowhere'

/** A row without a customer is a guest's; there is one a country. */
export const customerOf = ({ customer, country }: Pick<Row, 'customer' | 'country'>) =>
  customer === ''
    ? { email: `guest-${slug(country)}@replay.test`, name: `Guest, ${country}` }
    : { email: `customer-${slug(customer)}@replay.test`, name: `Customer ${customer}` }

interface Seen {
  readonly sku: string
  readonly prices: number[]
  readonly descriptions: Map<string, number>
}

interface Draft {
  readonly invoice: string
  readonly at: number
  readonly customer: PlannedCustomer
  readonly lines: { sku: string; quantity: number }[]
}

/**
 * Collects rows, one after another, into a plan. Only invoices of digits are orders, and only their lines with quantity and
 * price above 0 count. Prices are the medians over the whole file, so that they are the same for any number of orders.
 */
export const planner = () => {
  const drafts = new Map<string, Draft>()
  const skus = new Map<string, Seen>()
  const customers = new Map<string, PlannedCustomer>()
  let rows = 0
  let lines = 0

  const one = (row: Row) => {
    const customer = customerOf(row)
    const known = customers.get(customer.email) ?? customer
    customers.set(customer.email, known)
    return known
  }

  const add = (row: Row): void => {
    rows += 1
    if (!/^\d+$/.test(row.invoice) || row.quantity <= 0 || row.unitPriceMinor <= 0) return
    lines += 1
    const { invoice, at, quantity } = row
    const seen: Seen = skus.get(row.sku) ?? { sku: row.sku, prices: [], descriptions: new Map() }
    skus.set(row.sku, seen)
    seen.prices.push(row.unitPriceMinor)
    const { description } = row
    if (description !== '')
      seen.descriptions.set(description, (seen.descriptions.get(description) ?? 0) + 1)
    const draft = drafts.get(invoice) ?? { invoice, at, customer: one(row), lines: [] }
    drafts.set(invoice, draft)
    // The SKU's own text, one for all lines: a text of the row would keep the row.
    draft.lines.push({ sku: seen.sku, quantity })
  }

  const plan = (limit = Number.MAX_SAFE_INTEGER): Plan => {
    const prices = new Map([...skus.values()].map((seen) => [seen.sku, median(seen.prices)]))
    const orders = [...drafts.values()]
      .toSorted((a, b) => a.at - b.at)
      .slice(0, limit)
      .map((draft) => ({
        ...draft,
        totalMinor: draft.lines.reduce(
          (sum, { sku, quantity }) => sum + quantity * (prices.get(sku) ?? 0),
          0,
        ),
      }))
    const quantities = new Map<string, number>()
    for (const { sku, quantity } of orders.flatMap((order) => order.lines))
      quantities.set(sku, (quantities.get(sku) ?? 0) + quantity)
    return {
      orders,
      products: [...quantities].map(([sku, quantity]) => ({
        sku,
        name: (commonest(skus.get(sku)?.descriptions) ?? sku).slice(0, 200),
        priceMinor: prices.get(sku) ?? 0,
        quantity,
      })),
      customers: [...new Set(orders.map((order) => order.customer))],
      lines: orders.reduce((sum, order) => sum + order.lines.length, 0),
      file: { rows, orders: drafts.size, lines, leftOut: rows - lines },
    }
  }

  return { add, plan }
}

/** The plan of a whole stream of rows. */
export const planOf = async (rows: AsyncIterable<Row>, limit?: number): Promise<Plan> => {
  const { add, plan } = planner()
  for await (const row of rows) add(row)
  return plan(limit)
}

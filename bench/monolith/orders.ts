import { createHash } from 'node:crypto'
import type { Database } from './database.ts'
import { newId } from './ids.ts'
import { Problem } from './problem.ts'
import type { NewOrder } from './schemas.ts'

export interface Line {
  readonly sku: string
  readonly quantity: number
  readonly price: { readonly amount: number; readonly currency: string }
  readonly total: { readonly amount: number; readonly currency: string }
}

interface PriceRow {
  readonly sku: string
  readonly amount: string
  readonly currency: string
}

/** Lines of one SKU are summed, each is priced; nothing is trusted but SKU and quantity. */
const priced = (order: NewOrder, prices: ReadonlyMap<string, PriceRow>) => {
  const quantities = new Map<string, number>()
  for (const { sku, quantity } of order.lines)
    quantities.set(sku, (quantities.get(sku) ?? 0) + quantity)
  let total = 0n
  let currency: string | undefined
  const lines: Line[] = []
  for (const [sku, quantity] of quantities) {
    const price = prices.get(sku)
    if (price === undefined) throw new Problem(422, 'unknown-sku')
    currency ??= price.currency
    if (price.currency !== currency) throw new Problem(422, 'mixed-currencies')
    const amount = BigInt(price.amount) * BigInt(quantity)
    total += amount
    lines.push({
      sku,
      quantity,
      price: { amount: Number(price.amount), currency },
      total: { amount: Number(amount), currency },
    })
  }
  if (total > BigInt(Number.MAX_SAFE_INTEGER)) throw new Problem(422, 'total-too-large')
  return { lines, total: { amount: Number(total), currency: currency ?? '' } }
}

class AnsweredBefore extends Error {}

const insertReply = `insert into replies (customer_id, key, input_hash, body, expires_at)
  values ($1, $2, $3, $4, $5) on conflict do nothing returning 1 as added`
const insertOrder = `insert into orders (id, customer_id, status, lines, amount, currency, payment_token, placed_at)
  values ($1, $2, 'placed', $3::text::jsonb, $4, $5, $6, $7)`
const insertOutbox = `insert into outbox (kind, order_id) values ('order.placed', $1)`
const keptMs = 86_400_000

/** Takes orders: one transaction writes the order, the reply under its key and the outbox. */
export const ordersOf = (database: Database, placed: () => void) => {
  const remembered = async (customerId: string, key: string, inputHash: Buffer) => {
    const [reply] = await database.query<{ input_hash: Uint8Array; body: string }>(
      'select input_hash, body from replies where customer_id = $1 and key = $2',
      [customerId, key],
    )
    if (reply === undefined) throw new Problem(409, 'conflict')
    if (!inputHash.equals(reply.input_hash)) throw new Problem(422, 'idempotency-key-reused')
    return reply.body
  }

  return {
    /** The reply as JSON. */
    place: async (
      customerId: string,
      key: string | undefined,
      input: NewOrder,
    ): Promise<string> => {
      if (key === undefined || key === '') throw new Problem(400, 'idempotency-key-missing')
      const inputHash = createHash('sha256').update(JSON.stringify(input)).digest()
      const rows = await database.query<PriceRow>(
        'select sku, amount, currency from products where sku = any ($1)',
        [[...new Set(input.lines.map(({ sku }) => sku))]],
      )
      const { lines, total } = priced(input, new Map(rows.map((row) => [row.sku, row])))
      const id = newId()
      const now = new Date()
      const body = JSON.stringify({
        id,
        status: 'placed',
        lines,
        total,
        placedAt: now.toISOString(),
        shipTo: input.shipTo,
      })
      const order = [id, customerId, JSON.stringify(lines), total.amount, total.currency]
      const expires = new Date(now.getTime() + keptMs)
      try {
        await database.transaction(async (query) => {
          const [added] = await Promise.all([
            query(insertReply, [customerId, key, inputHash, body, expires]),
            query(insertOrder, [...order, input.payment.token, now]),
            query(insertOutbox, [id]),
          ])
          if (added.length === 0) throw new AnsweredBefore()
        })
      } catch (error) {
        if (error instanceof AnsweredBefore) return remembered(customerId, key, inputHash)
        throw error
      }
      placed()
      return body
    },

    audit: async () => {
      const [row] = await database.query<Record<string, number>>(
        `select (select count(*)::int from orders where status = 'confirmed') as confirmed,
           (select count(*)::int from orders where status = 'placed') as open,
           (select count(*)::int from notifications) as notified,
           (select coalesce(sum(orders), 0)::int from sales) as counted`,
      )
      return row ?? {}
    },
  }
}

export type Orders = ReturnType<typeof ordersOf>

import { appendFile } from 'node:fs/promises'
import type { Database, Query } from './database.ts'
import type { Line } from './orders.ts'

/*
 * What follows an order. A batch of the outbox is one transaction: it takes the stock, captures the payments (the built-in
 * provider is a row), confirms the orders, notes the mails and counts the sales. Several processes may do so at once: rows of
 * the outbox are skipped while another has them, stock is locked in order of its keys.
 */

interface OrderRow {
  readonly id: string
  readonly customer_id: string
  readonly lines: readonly Line[]
  readonly amount: string
  readonly currency: string
  readonly email: string
  readonly name: string
}

const batchSize = 250
const pollMs = 1_000

const takeOutbox = `delete from outbox where seq in (
  select seq from outbox order by seq limit ${batchSize} for update skip locked) returning order_id`
const loadOrders = `select o.id, o.customer_id, o.lines, o.amount, o.currency, u.email, u.name
  from orders o join users u on u.id = o.customer_id
  where o.id = any ($1) and o.status = 'placed' order by o.id for update of o`
const lockStock = `select sku, on_hand from stock where sku = any ($1) order by sku for update`
const takeStock = `update stock set on_hand = on_hand - taken.units
  from unnest($1::text[], $2::bigint[]) as taken (sku, units) where stock.sku = taken.sku`
const capture = `insert into payments (order_id, reference, amount, currency, captured_at)
  select id, 'pay-' || id, amount, currency, $4
  from unnest($1::text[], $2::bigint[], $3::text[]) as p (id, amount, currency)`
const confirm = `update orders set status = 'confirmed', payment_token = null where id = any ($1)`
const cancel = `update orders set status = 'cancelled', reason = 'out-of-stock', payment_token = null where id = any ($1)`
const noteMails = `insert into notifications (id, user_id, order_id, kind, subject, sent_at)
  select 'mail-' || order_id, user_id, order_id, 'order-confirmed', 'Your order ' || order_id || ' is confirmed', $3
  from unnest($1::text[], $2::text[]) as n (order_id, user_id)`
const countSales = `insert into sales (minute, currency, orders, units, revenue)
  select date_trunc('minute', $5::timestamptz), currency, orders, units, revenue
  from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) as s (currency, orders, units, revenue)
  on conflict (minute, currency) do update set orders = sales.orders + excluded.orders,
    units = sales.units + excluded.units, revenue = sales.revenue + excluded.revenue`
const countProducts = `insert into product_sales (day, sku, units)
  select $3::timestamptz::date, sku, units from unnest($1::text[], $2::bigint[]) as s (sku, units) order by sku
  on conflict (day, sku) do update set units = product_sales.units + excluded.units`

/** Which of the orders the stock covers, first come, first served; and what they take. */
const covered = (orders: readonly OrderRow[], onHand: Map<string, number>) => {
  const taken = new Map<string, number>()
  const yes: OrderRow[] = []
  const no: OrderRow[] = []
  for (const order of orders) {
    if (order.lines.some(({ sku, quantity }) => (onHand.get(sku) ?? 0) < quantity)) {
      no.push(order)
      continue
    }
    yes.push(order)
    for (const { sku, quantity } of order.lines) {
      onHand.set(sku, (onHand.get(sku) ?? 0) - quantity)
      taken.set(sku, (taken.get(sku) ?? 0) + quantity)
    }
  }
  return { yes, no, taken }
}

const salesOf = (orders: readonly OrderRow[]) => {
  const sums = new Map<string, { orders: number; units: number; revenue: number }>()
  for (const { currency, amount, lines } of orders) {
    const sum = sums.get(currency) ?? { orders: 0, units: 0, revenue: 0 }
    sum.orders += 1
    sum.revenue += Number(amount)
    for (const { quantity } of lines) sum.units += quantity
    sums.set(currency, sum)
  }
  const all = [...sums]
  return [
    all.map(([currency]) => currency),
    all.map(([, sum]) => sum.orders),
    all.map(([, sum]) => sum.units),
    all.map(([, sum]) => sum.revenue),
  ]
}

const mailOf = ({ id, email, name, amount, currency }: OrderRow, at: string) =>
  JSON.stringify({
    messageId: `<${id}@shop.test>`,
    to: email,
    subject: `Your order ${id} is confirmed`,
    text: `Hello ${name},\n\nThank you for your order. It is confirmed, and we are getting it ready.\n\nOrder: ${id}\nTotal: ${currency} ${(Number(amount) / 100).toFixed(2)}\n\nKind regards,\nThe shop\n`,
    at,
  })

export const workerOf = (database: Database, mailbox: string) => {
  const batch = async (query: Query): Promise<number> => {
    const taken = await query<{ order_id: string }>(takeOutbox)
    if (taken.length === 0) return 0
    const orders = await query<OrderRow>(loadOrders, [taken.map((row) => row.order_id)])
    const skus = [...new Set(orders.flatMap(({ lines }) => lines.map(({ sku }) => sku)))].sort()
    const stock = await query<{ sku: string; on_hand: string }>(lockStock, [skus])
    const levels = new Map(stock.map(({ sku, on_hand }) => [sku, Number(on_hand)]))
    const { yes, no, taken: units } = covered(orders, levels)
    const at = new Date()
    const ids = yes.map(({ id }) => id)
    const work: Promise<unknown>[] = []
    if (no.length > 0) work.push(query(cancel, [no.map(({ id }) => id)]))
    if (yes.length > 0) {
      const [soldSkus, soldUnits] = [[...units.keys()], [...units.values()]]
      work.push(
        query(takeStock, [soldSkus, soldUnits]),
        query(capture, [
          ids,
          yes.map(({ amount }) => amount),
          yes.map(({ currency }) => currency),
          at,
        ]),
        query(confirm, [ids]),
        query(noteMails, [ids, yes.map((order) => order.customer_id), at]),
        query(countSales, [...salesOf(yes), at]),
        query(countProducts, [soldSkus, soldUnits, at]),
      )
    }
    await Promise.all(work)
    // Before the commit: after a crash a mail goes out twice under one Message-ID, rather than never.
    const mails = yes.map((order) => `${mailOf(order, at.toISOString())}\n`)
    if (mails.length > 0) await appendFile(mailbox, mails.join(''))
    return taken.length
  }

  let awake = false
  let wake = () => undefined as void
  const run = async () => {
    for (;;) {
      try {
        awake = false
        while ((await database.transaction(batch)) > 0);
      } catch (error) {
        process.stderr.write(`the outbox waits: ${String(error)}\n`)
      }
      if (awake) continue
      await new Promise<void>((resolve) => {
        wake = resolve
        setTimeout(resolve, pollMs)
      })
    }
  }
  return {
    run,
    /** There is something to do. */
    wake: () => {
      awake = true
      wake()
    },
  }
}

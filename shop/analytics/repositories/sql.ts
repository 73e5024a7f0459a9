import { rfc3339 } from 'serval'
import { sqlRepository, type SqlRow } from 'serval/engines/sql'
import { amountsOf } from '../../money.ts'
import type { Sales, Sum } from '../repository.ts'

/** Of one currency. */
interface SumRow extends SqlRow {
  readonly orders: number
  readonly units: number
  readonly currency: string
  /** In digits: it may be beyond 2^53−1. */
  readonly amount: string
}

interface RangeRow extends SumRow {
  /** Of the range, counted from 1. */
  readonly number: number
}

interface ProductRow extends SqlRow {
  readonly sku: string
  readonly units: number
  readonly currency: string
  readonly amount: string
}

const revenueOf = (rows: readonly Pick<SumRow, 'amount' | 'currency'>[]) =>
  rows.flatMap(({ amount, currency }) => amountsOf(amount, currency))

const sumOf = (rows: readonly SumRow[]): Sum => ({
  orders: rows.reduce((total, row) => total + row.orders, 0),
  units: rows.reduce((total, row) => total + row.units, 0),
  revenue: revenueOf(rows),
})

const sums =
  'count(*) as orders, sum(units)::bigint as units, sum(amount)::text as amount, currency'

const insert = `
insert into sale (order_id, at, units, amount, currency, skus, line_units, line_amounts)
select order_id, at, units, sold.amount, currency, line.skus, line.units_of, line.amounts
from unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::text[], $6::jsonb[])
  as sold (order_id, at, units, amount, currency, lines)
cross join lateral (
  select array_agg(l.sku) as skus, array_agg(l.units) as units_of, array_agg(l.amount) as amounts
  from jsonb_to_recordset(sold.lines) as l (sku text, units bigint, amount bigint)
) line
on conflict do nothing`

export const sales = sqlRepository<Sales>({
  migrations: [
    {
      id: 'analytics-001-sales',
      // A row an order, its lines in arrays: counting it is one insert, however many lines it has.
      sql: `
create table sale (
  order_id text primary key,
  at timestamptz not null,
  units bigint not null,
  amount bigint not null,
  currency text not null,
  skus text[] not null,
  line_units bigint[] not null,
  line_amounts bigint[] not null
);
create index sale_at on sale (at) include (units, amount, currency);
`,
    },
  ],
  open: (session) => ({
    count: ({ orderId, at, total, lines }) => {
      session.touch(orderId)
      session.writeRows({
        text: insert,
        columns: [
          [orderId],
          [rfc3339(at)],
          [lines.reduce((units, { quantity }) => units + quantity, 0)],
          [total.amount],
          [total.currency],
          [
            JSON.stringify(
              lines.map((line) => ({
                sku: line.sku,
                units: line.quantity,
                amount: line.total.amount,
              })),
            ),
          ],
        ],
      })
    },
    sums: async (ranges) => {
      // Each range by itself: the index gives its rows and nothing else, whatever the planner believes of the table.
      const rows = await session.query<RangeRow>(
        `select range.number, sold.* from unnest($1::timestamptz[], $2::timestamptz[]) with ordinality as range (first, past, number)
         cross join lateral (
           select ${sums} from sale where at >= range.first and at < range.past group by currency
         ) sold order by currency`,
        [ranges.map(({ from }) => rfc3339(from)), ranges.map(({ to }) => rfc3339(to))],
      )
      const found = Map.groupBy(rows, (row) => row.number)
      return ranges.map((_, index) => sumOf(found.get(index + 1) ?? []))
    },
    topProducts: async ({ from, to }, limit) => {
      const rows = await session.query<ProductRow>(
        `with sold as (
           select sku, currency, sum(units)::bigint as units, sum(amount) as amount from (
             select currency, unnest(skus) as sku, unnest(line_units) as units, unnest(line_amounts) as amount
             from sale where at >= $1::timestamptz and at < $2::timestamptz
           ) line group by sku, currency
         ), top as (
           select sku, sum(units)::bigint as units from sold
           group by sku order by units desc, sku collate "C" limit $3::integer
         )
         select sku, top.units, currency, amount::text from top join sold using (sku)
         order by top.units desc, sku collate "C", currency`,
        [rfc3339(from), rfc3339(to), limit],
      )
      // Rows of one product stand together; a map keeps their order.
      const products = Map.groupBy(rows, (row) => row.sku)
      return [...products].map(([sku, own]) => ({
        sku,
        units: own[0]?.units ?? 0,
        revenue: revenueOf(own),
      }))
    },
    all: async () =>
      sumOf(
        await session.query<SumRow>(`select ${sums} from sale group by currency order by currency`),
      ),
  }),
})

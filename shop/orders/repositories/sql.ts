import { rfc3339 } from 'serval'
import { sqlRepository, type SqlRow } from 'serval/engines/sql'
import { amountsOf } from '../../money.ts'
import type { OrderRecord, OrderState } from '../order.ts'
import type { Orders, OrderSum } from '../repository.ts'

/** As the columns say; the table's check constraints keep impossible states out. */
interface Row extends SqlRow {
  readonly id: string
  readonly customer_id: string
  readonly status: OrderState['status']
  readonly reason: Extract<OrderState, { status: 'cancelling' }>['reason'] | null
  readonly refunded: boolean | null
  readonly reserved_at: number | null
  readonly lines: OrderRecord['lines']
  readonly amount: number
  readonly currency: string
  readonly placed_at: number
  readonly ship_to: NonNullable<OrderRecord['shipTo']> | null
  readonly sealed_token: Uint8Array | null
  readonly version: number
}

interface SumRow extends SqlRow, Omit<OrderSum, 'reason' | 'amounts'> {
  readonly reason: string | null
  readonly currency: string
  /** In digits: it may be beyond 2^53−1. */
  readonly amount: string
}

const stateOf = (row: Row): OrderState => {
  const { status } = row
  if (status === 'reserved') return { status, reservedAt: row.reserved_at ?? row.placed_at }
  if (status === 'cancelling' && row.reason !== null) return { status, reason: row.reason }
  if (status === 'cancelled' && row.reason !== null)
    return { status, reason: row.reason, refunded: row.refunded === true }
  if (status === 'placed' || status === 'paid' || status === 'confirmed') return { status }
  throw new Error(`order ${row.id} is ${status} without a reason`)
}

const orderOf = (row: Row): OrderRecord => ({
  id: row.id,
  customerId: row.customer_id,
  lines: row.lines,
  total: { amount: row.amount, currency: row.currency },
  placedAt: row.placed_at,
  shipTo: row.ship_to ?? undefined,
  sealedToken: row.sealed_token ?? undefined,
  state: stateOf(row),
  version: row.version,
})

const stateColumns = (state: OrderState) => [
  state.status,
  'reason' in state ? state.reason : null,
  state.status === 'cancelled' ? state.refunded : null,
  state.status === 'reserved' ? rfc3339(state.reservedAt) : null,
]

export const orders = sqlRepository<Orders>({
  migrations: [
    {
      id: 'orders-001-orders',
      sql: `
create table orders (
  id text primary key,
  customer_id text not null,
  status text not null check (status in ('placed', 'reserved', 'paid', 'confirmed', 'cancelling', 'cancelled')),
  reason text check ((reason is not null) = (status in ('cancelling', 'cancelled'))),
  refunded boolean check ((refunded is not null) = (status = 'cancelled')),
  reserved_at timestamptz check ((reserved_at is not null) = (status = 'reserved')),
  lines jsonb not null,
  amount bigint not null check (amount >= 0),
  currency text not null,
  placed_at timestamptz not null,
  ship_to jsonb,
  sealed_token bytea,
  version integer not null
) with (fillfactor = 70);
create index orders_customer on orders (customer_id, id desc);
`,
    },
  ],
  open: (session) => ({
    insert: (order) => {
      session.touch(order.id)
      session.write(
        `insert into orders (id, customer_id, status, reason, refunded, reserved_at, lines, amount, currency, placed_at, ship_to, sealed_token, version)
         values ($1, $2, $3, $4, $5, $6::timestamptz, $7::jsonb, $8, $9, $10::timestamptz, $11::jsonb, $12, 1)`,
        [
          order.id,
          order.customerId,
          ...stateColumns(order.state),
          JSON.stringify(order.lines),
          order.total.amount,
          order.total.currency,
          rfc3339(order.placedAt),
          order.shipTo === undefined ? null : JSON.stringify(order.shipTo),
          order.sealedToken ?? null,
        ],
      )
    },
    load: async (id) => {
      const [row] = await session.query<Row>('select * from orders where id = $1', [id])
      return row === undefined ? undefined : orderOf(row)
    },
    save: (order) => {
      session.touch(order.id)
      session.write(
        `update orders set status = $3, reason = $4, refunded = $5, reserved_at = $6::timestamptz, sealed_token = $7, version = version + 1
         where id = $1 and version = $2`,
        [order.id, order.version, ...stateColumns(order.state), order.sealedToken ?? null],
        { rows: 1, otherwise: 'again' },
      )
    },
    list: async ({ customerId, status, before, limit }) => {
      const rows = await session.query<Row>(
        `select * from orders where customer_id = $1 and ($2::text is null or status = $2) and ($3::text is null or id < $3)
         order by id desc limit $4`,
        [customerId, status ?? null, before ?? null, limit],
      )
      return rows.map(orderOf)
    },
    sums: async () => {
      const rows = await session.query<SumRow>(
        `select status, reason, currency, count(*) as orders, sum(amount)::text as amount
         from orders group by status, reason, currency order by status, reason, currency`,
      )
      return rows.map(({ status, reason, currency, orders: count, amount }) => ({
        status,
        reason: reason ?? undefined,
        orders: count,
        amounts: amountsOf(amount, currency),
      }))
    },
  }),
})

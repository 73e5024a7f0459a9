import { rfc3339 } from 'serval'
import { sqlRepository, type SqlColumn, type SqlRow, type SqlValue } from 'serval/engines/sql'
import { amountsOf } from '../../money.ts'
import { changeOf, completed, type Change } from '../history.ts'
import { isFinal, needsToken, type OrderRecord, type OrderState } from '../order.ts'
import type { Orders, OrderSum } from '../repository.ts'

/** As the columns say; the table's check constraints keep impossible states out. */
interface StateRow extends SqlRow {
  readonly id: string
  readonly customer_id: string
  readonly status: OrderState['status']
  readonly reason: Extract<OrderState, { status: 'cancelling' }>['reason'] | null
  readonly refunded: boolean | null
  readonly reserved_at: number | null
  readonly placed_at: number
  readonly version: number
}

interface ProgressRow extends StateRow {
  readonly history: readonly Change[]
}

interface Row extends StateRow {
  readonly lines: OrderRecord['lines']
  readonly amount: number
  readonly currency: string
  readonly quoted_at: number | null
  readonly ship_to: NonNullable<OrderRecord['shipTo']> | null
  readonly sealed_token: Uint8Array | null
}

interface SumRow extends SqlRow, Omit<OrderSum, 'reason' | 'amounts'> {
  readonly reason: OrderSum['reason'] | null
  readonly currency: string
  /** In digits: it may be beyond 2^53−1. */
  readonly amount: string
}

const stateOf = (row: StateRow): OrderState => {
  const { status } = row
  if (status === 'reserved') return { status, reservedAt: row.reserved_at ?? row.placed_at }
  if (status === 'cancelling' && row.reason !== null) return { status, reason: row.reason }
  if (status === 'cancelled' && row.reason !== null)
    return { status, reason: row.reason, refunded: row.refunded === true }
  if (status === 'placed' || status === 'paid' || status === 'confirmed') return { status }
  throw new Error(`order ${row.id} is ${status} without a reason`)
}

const stateNames = 'id, customer_id, status, reason, refunded, reserved_at, placed_at, version'
const columns = `${stateNames}, lines, amount, currency, quoted_at, ship_to, sealed_token`

const orderOf = (row: Row): OrderRecord => ({
  id: row.id,
  customerId: row.customer_id,
  lines: row.lines,
  total: { amount: row.amount, currency: row.currency },
  placedAt: row.placed_at,
  quotedAt: row.quoted_at ?? undefined,
  shipTo: row.ship_to ?? undefined,
  sealedToken: row.sealed_token ?? undefined,
  state: stateOf(row),
  version: row.version,
})

const stateColumns = (state: OrderState): readonly SqlColumn[] => [
  [state.status],
  ['reason' in state ? state.reason : null],
  [state.status === 'cancelled' ? state.refunded : null],
  [state.status === 'reserved' ? rfc3339(state.reservedAt) : null],
]

const insert = `
insert into orders (id, customer_id, status, reason, refunded, reserved_at, lines, amount, currency, placed_at, quoted_at, ship_to, sealed_token, history, version)
select placed.*, 1 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[], $7::jsonb[], $8::bigint[], $9::text[],
  $10::timestamptz[], $11::timestamptz[], $12::jsonb[], $13::bytea[], $14::jsonb[]) placed`

const save = `
update orders set status = saved.status, reason = saved.reason, refunded = saved.refunded, reserved_at = saved.reserved_at,
  sealed_token = case when saved.needs_token then sealed_token end, history = history || saved.change, version = saved.version
from unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[], $7::boolean[], $8::jsonb[])
  as saved (id, version, status, reason, refunded, reserved_at, needs_token, change)
where orders.id = saved.id and orders.version = saved.version - 1`

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
    {
      id: 'orders-002-history',
      sql: `
alter table orders
  add column history jsonb not null default '[]',
  add column quoted_at timestamptz;
`,
    },
    {
      id: 'orders-003-listing',
      // A status that is indexed makes each change of it a change of every index. This column changes once, at an order's end.
      sql: `
alter table orders add column ended text
  generated always as (case when status in ('confirmed', 'cancelled') then status end) stored;
create index orders_ended on orders (ended, id desc);
`,
    },
  ],
  open: (session) => ({
    insert: (order) => {
      session.touch(order.id)
      session.writeRows({
        text: insert,
        columns: [
          [order.id],
          [order.customerId],
          ...stateColumns(order.state),
          [JSON.stringify(order.lines)],
          [order.total.amount],
          [order.total.currency],
          [rfc3339(order.placedAt)],
          [order.quotedAt === undefined ? null : rfc3339(order.quotedAt)],
          [order.shipTo === undefined ? null : JSON.stringify(order.shipTo)],
          [order.sealedToken ?? null],
          [JSON.stringify([changeOf(1, order.state, order.placedAt)])],
        ],
      })
    },
    load: async (id) => {
      const [row] = await session.query<Row>(`select ${columns} from orders where id = $1`, [id])
      return row === undefined ? undefined : orderOf(row)
    },
    save: ({ id, state, version }, change) => {
      session.touch(id)
      session.writeRows({
        text: save,
        columns: [
          [id],
          [version],
          ...stateColumns(state),
          [needsToken(state)],
          [JSON.stringify(change)],
        ],
        otherwise: 'again',
      })
    },
    list: async ({ customerId, status, before, limit }) => {
      const values: SqlValue[] = [limit]
      const conditions: string[] = []
      const where = (condition: (value: string) => string, value: string | undefined) => {
        if (value !== undefined) conditions.push(condition(`$${values.push(value)}`))
      }
      where((value) => `customer_id = ${value}`, customerId)
      where((value) => `id < ${value}`, before)
      // One customer's orders are few; among all of them only an index finds a rare status.
      const among = customerId === undefined ? 'ended is null and ' : ''
      const byEnd = customerId === undefined && status !== undefined && isFinal(status)
      where((value) => (byEnd ? `ended = ${value}` : `${among}status = ${value}`), status)
      const rows = await session.query<Row>(
        `select ${columns} from orders ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`} order by id desc limit $1`,
        values,
      )
      return rows.map(orderOf)
    },
    progress: async (id) => {
      const [row] = await session.query<ProgressRow>(
        `select ${stateNames}, history from orders where id = $1`,
        [id],
      )
      if (row === undefined) return undefined
      const { customer_id: customerId, placed_at: placedAt, version } = row
      return {
        customerId,
        history: completed(row.history, { state: stateOf(row), version, placedAt }),
      }
    },
    addressed: async (customerId, after) => {
      const [row] = await session.query<{ readonly id: string }>(
        `select id from orders where customer_id = $1 and id > $2 and ship_to is not null
         order by id limit 1`,
        [customerId, after],
      )
      return row?.id
    },
    forgetAddress: (id) => {
      session.touch(id)
      session.write('update orders set ship_to = null where id = $1', [id])
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

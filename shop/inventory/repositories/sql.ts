import { failure, rfc3339 } from 'serval'
import { sqlRepository, type RepositorySession, type SqlGuard } from 'serval/engines/sql'
import type { Adjustments, KeptAdjustment, Reservations, Stock } from '../repository.ts'
import {
  promising,
  type Line,
  type Reservation,
  type StockLevel,
  type StockMove,
} from '../reservation.ts'

type Row<T> = T & Readonly<Record<string, unknown>>

/** It fails only when somebody changed the rows by hand. */
const mismatch = failure('internal', 'The stock does not match its reservations')

const skusOf = (lines: readonly Line[]) => lines.map(({ sku }) => sku)
const quantitiesOf = (lines: readonly Line[]) => lines.map(({ quantity }) => quantity)

const level = 'sku, on_hand as "onHand", reserved'

/*
 * Moves units, $1 and $2 of them for each unit of a line, as far as there are as many. An update alone would take
 * its locks in the order of its plan: the rows are locked first, in the one order for everybody. The update then
 * sees them as they were left by those that it waited for. Arrays of SKUs keep the planner on the index.
 */
const moving = (lines: string) => `
with line as materialized (${lines}),
locked as materialized (
  select sku from stock where sku = any (array(select sku from line)) order by sku for update
)
update stock set on_hand = on_hand + $1::bigint * line.quantity,
  reserved = reserved + $2::bigint * line.quantity
from line
where stock.sku = line.sku and stock.sku = any (array(select sku from locked))
  and reserved + $2::bigint * line.quantity between 0 and on_hand + $1::bigint * line.quantity`

const moveGiven = moving(
  'select sku, quantity from unnest($3::text[], $4::bigint[]) as given (sku, quantity)',
)
const moveReserved = moving(
  `select kept.sku, kept.quantity from reservation,
     jsonb_to_recordset(lines) as kept (sku text, quantity bigint) where order_id = $3`,
)

const moveLines = (
  session: RepositorySession,
  lines: readonly Line[],
  { onHand, reserved }: StockMove,
  otherwise: SqlGuard['otherwise'],
): void => {
  if (lines.length === 0) return
  const values = [onHand, reserved, skusOf(lines), quantitiesOf(lines)]
  session.write(moveGiven, values, { rows: lines.length, otherwise })
}

export const stock = sqlRepository<Stock>({
  migrations: [
    {
      // Room on each page, so that a change of a count stays on it and touches no index.
      id: 'inventory-001-stock',
      sql: `
create table stock (
  sku text collate "C" primary key, on_hand bigint not null, reserved bigint not null default 0,
  check (on_hand >= reserved and reserved >= 0)
) with (fillfactor = 50);
`,
    },
  ],
  open: (session) => ({
    levels: (skus) =>
      session.query<Row<StockLevel>>(`select ${level} from stock where sku = any ($1::text[])`, [
        skus,
      ]),
    lock: (skus) =>
      session.query<Row<StockLevel>>(
        `select ${level} from stock where sku = any ($1::text[]) order by sku for update`,
        [skus],
      ),
    reserve: (lines) => moveLines(session, lines, promising, 'again'),
    move: (lines, move) => moveLines(session, lines, move, mismatch),
    moveReserved: (orderId, { onHand, reserved }) =>
      session.write(moveReserved, [onHand, reserved, orderId]),
    count: ({ sku, onHand, reserved }) =>
      session.write(
        `insert into stock (sku, on_hand) values ($1, $2) on conflict (sku)
         do update set on_hand = excluded.on_hand where stock.reserved = $3`,
        [sku, onHand, reserved],
        // A row that is missing cannot be locked: it may have been added, and its units reserved.
        { rows: 1, otherwise: 'again' },
      ),
    provide: async (counts) => {
      const added = await session.query(
        `insert into stock (sku, on_hand)
         select sku, on_hand from unnest($1::text[], $2::bigint[]) as given (sku, on_hand)
         order by sku on conflict do nothing returning 1 as added`,
        [counts.map(({ sku }) => sku), counts.map(({ onHand }) => onHand)],
      )
      return added.length
    },
    audit: async () => {
      // One statement: both tables as they were at one moment.
      const [row] = await session.query<Record<string, number>>(
        `select * from (
           select count(*) as skus, coalesce(sum(on_hand), 0)::bigint as on_hand,
             coalesce(sum(reserved), 0)::bigint as reserved,
             count(*) filter (where on_hand < reserved or on_hand < 0 or reserved < 0) as negative
           from stock
         ) stock, (
           select count(*) filter (where status = 'held') as held,
             count(*) filter (where status = 'committed') as committed,
             count(*) filter (where status = 'released') as released from reservation
         ) reservation`,
      )
      const of = (column: string) => row?.[column] ?? 0
      return {
        skus: of('skus'),
        onHand: of('on_hand'),
        reserved: of('reserved'),
        negative: of('negative'),
        reservations: { held: of('held'), committed: of('committed'), released: of('released') },
      }
    },
  }),
})

const columns = 'order_id as "orderId", status, lines, expires_at as "expiresAt"'
const lockOne = `select ${columns} from reservation where order_id = $1 for update`
const insert = `insert into reservation (order_id, status, lines, expires_at)
  values ($1, $2, $3::jsonb, $4::timestamptz) on conflict do nothing`

const valuesOf = ({ orderId, status, lines, expiresAt }: Reservation) => [
  orderId,
  status,
  JSON.stringify(lines),
  rfc3339(expiresAt),
]

export const reservations = sqlRepository<Reservations>({
  migrations: [
    {
      id: 'inventory-002-reservations',
      sql: `
create table reservation (
  order_id text primary key,
  status text not null check (status in ('held', 'committed', 'released')),
  lines jsonb not null, expires_at timestamptz not null
);
create index reservation_held on reservation (expires_at) where status = 'held';
`,
    },
  ],
  open: (session) => {
    const lock = async (orderId: string) =>
      (await session.query<Row<Reservation>>(lockOne, [orderId]))[0]
    return {
      lock,
      // Waits for a step on the same order that is under way, and sees what it left; so does hold.
      add: (reservation) =>
        session.write(insert, valuesOf(reservation), { rows: 1, otherwise: 'again' }),
      hold: async (reservation) => {
        const made = await session.query(`${insert} returning 1 as made`, valuesOf(reservation))
        if (made.length > 0) return undefined
        const before = await lock(reservation.orderId)
        if (before === undefined) throw failure('conflict')
        return before
      },
      settleHeld: (orderId, now, status) =>
        session.write(
          `update reservation set status = $2
           where order_id = $1 and status = 'held' and expires_at > $3::timestamptz
             and jsonb_array_length(lines) = (
               select count(*) from stock
               where sku = any (array(select line ->> 'sku' from jsonb_array_elements(lines) as line))
             )`,
          [orderId, status, rfc3339(now)],
          { rows: 1, otherwise: 'again' },
        ),
      lockOrLeave: async (reservation) => {
        session.write(insert, valuesOf(reservation))
        return (await lock(reservation.orderId)) ?? reservation
      },
      lockExpired: (now, limit) =>
        session.query<Row<Reservation>>(
          `select ${columns} from reservation
         where status = 'held' and expires_at <= $1::timestamptz
         order by expires_at limit $2 for update skip locked`,
          [rfc3339(now), limit],
        ),
      settle: (orderIds, status) => {
        if (orderIds.length === 0) return
        session.write(
          'update reservation set status = $2 where order_id = any ($1::text[])',
          [orderIds, status],
          { rows: orderIds.length, otherwise: mismatch },
        )
      },
    }
  },
})

export const adjustments = sqlRepository<Adjustments>({
  migrations: [
    {
      // The place is drawn under the lock of the SKU: it tells the order, which the clocks of hosts do not.
      id: 'inventory-003-adjustments',
      sql: `
create table adjustment (
  sku text collate "C" not null, place bigint generated always as identity,
  id text not null, delta bigint not null, reason text not null,
  at timestamptz not null, by_user text,
  primary key (sku, place)
);
`,
    },
  ],
  open: (session) => ({
    add: ({ sku, id, delta, reason, at, by }) =>
      session.write(
        `insert into adjustment (sku, id, delta, reason, at, by_user)
         values ($1, $2, $3, $4, $5::timestamptz, $6)`,
        [sku, id, delta, reason, rfc3339(at), by],
      ),
    list: (sku, before, limit) =>
      session.query<Row<KeptAdjustment>>(
        `select sku, place, id, delta, reason, at, by_user as by from adjustment
         where sku = $1 and ($2::bigint is null or place < $2)
         order by place desc limit $3`,
        [sku, before ?? null, limit],
      ),
  }),
})

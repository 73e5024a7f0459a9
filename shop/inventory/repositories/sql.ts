import { failure, rfc3339 } from 'serval'
import {
  sqlRepository,
  type RepositorySession,
  type SqlColumn,
  type SqlGuard,
} from 'serval/engines/sql'
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

const level = 'sku, on_hand as "onHand", reserved'

const lockRows = `select ${level} from stock where sku = any ($1::text[]) order by sku for update`

/** Adds units to a SKU's, on hand and reserved, as far as there are as many. */
const moveGiven = `
update stock set on_hand = stock.on_hand + line.on_hand, reserved = stock.reserved + line.reserved
from unnest($1::text[], $2::bigint[], $3::bigint[]) as line (sku, on_hand, reserved)
where stock.sku = line.sku and stock.reserved + line.reserved between 0 and stock.on_hand + line.on_hand`

/** One row a SKU, of the lines of several orders. */
const sums = ([skus = [], onHand = [], reserved = []]: readonly SqlColumn[]) => {
  const units = new Map<string, readonly [number, number]>()
  skus.forEach((sku, row) => {
    const [added, promised] = units.get(String(sku)) ?? [0, 0]
    units.set(String(sku), [added + Number(onHand[row]), promised + Number(reserved[row])])
  })
  return [
    [...units.keys()],
    [...units.values()].map(([added]) => added),
    [...units.values()].map(([, promised]) => promised),
  ]
}

const moveLines = (
  session: RepositorySession,
  lines: readonly Line[],
  { onHand, reserved }: StockMove,
  otherwise: SqlGuard['otherwise'],
): void => {
  if (lines.length === 0) return
  // An update alone would take its locks in the order of its plan. Steps that commit together lock their rows first, in the one order for everybody.
  session.writeRows({ text: lockRows, columns: [skusOf(lines)], phase: 'lock' })
  session.writeRows({
    text: moveGiven,
    columns: [
      skusOf(lines),
      lines.map(({ quantity }) => onHand * quantity),
      lines.map(({ quantity }) => reserved * quantity),
    ],
    otherwise,
    combine: sums,
  })
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
    lock: (skus) => session.query<Row<StockLevel>>(lockRows, [skus]),
    reserve: (lines) => moveLines(session, lines, promising, 'again'),
    move: (lines, move) => moveLines(session, lines, move, mismatch),
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
const findOne = `select ${columns} from reservation where order_id = $1`
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
      find: async (orderId) => (await session.query<Row<Reservation>>(findOne, [orderId]))[0],
      lock,
      // Waits for a step on the same order that is under way, and sees what it left; so does hold.
      add: (reservation) =>
        session.writeRows({
          text: `insert into reservation (order_id, status, lines, expires_at)
            select * from unnest($1::text[], $2::text[], $3::jsonb[], $4::timestamptz[]) on conflict do nothing`,
          columns: valuesOf(reservation).map((value) => [value]),
          otherwise: 'again',
        }),
      hold: async (reservation) => {
        const made = await session.query(`${insert} returning 1 as made`, valuesOf(reservation))
        if (made.length > 0) return undefined
        const before = await lock(reservation.orderId)
        if (before === undefined) throw failure('conflict')
        return before
      },
      settleHeld: (orderId, status) =>
        session.writeRows({
          // 'held' as a value: as a constant it would lead the planner to the index of all that are held.
          text: `update reservation set status = settled.status from unnest($1::text[], $2::text[], $3::text[]) as settled (id, before, status)
            where order_id = settled.id and reservation.status = settled.before`,
          columns: [[orderId], ['held'], [status]],
          otherwise: 'again',
        }),
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

import { failure, rfc3339 } from 'serval'
import { sqlRepository, type RepositorySession } from 'serval/engines/sql'
import type { Reservations, Stock } from '../repository.ts'
import type { Line, Reservation, StockLevel, StockMove } from '../reservation.ts'

type Row<T> = T & Readonly<Record<string, unknown>>

/** The rows are locked when it is checked: it fails only when somebody changed them by hand. */
const mustMatch = (rows: number) => ({
  rows,
  otherwise: failure('internal', 'The stock does not match its reservations'),
})

const skusOf = (lines: readonly Line[]) => lines.map(({ sku }) => sku)
const lockStock = `select sku, on_hand as "onHand", reserved from stock
  where sku = any ($1::text[]) order by sku for update`

const moveLocked = (session: RepositorySession, lines: readonly Line[], move: StockMove): void =>
  session.write(
    `update stock set on_hand = on_hand + $3::bigint * line.quantity,
       reserved = reserved + $4::bigint * line.quantity
     from unnest($1::text[], $2::bigint[]) as line (sku, quantity)
     where stock.sku = line.sku and reserved + $4::bigint * line.quantity
       between 0 and on_hand + $3::bigint * line.quantity`,
    [skusOf(lines), lines.map(({ quantity }) => quantity), move.onHand, move.reserved],
    mustMatch(lines.length),
  )

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
    find: async (sku) => {
      const text = 'select sku, on_hand as "onHand", reserved from stock where sku = $1'
      return (await session.query<Row<StockLevel>>(text, [sku]))[0]
    },
    lock: (skus) => session.query<Row<StockLevel>>(lockStock, [skus]),
    reserve: (lines) => moveLocked(session, lines, { onHand: 0, reserved: 1 }),
    move: (lines, move) => {
      if (lines.length === 0) return
      // An update alone would take the locks in the order of its plan.
      session.write(lockStock, [skusOf(lines)])
      moveLocked(session, lines, move)
    },
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
      hold: async (reservation) => {
        // Waits for a step on the same order that is under way, and sees what it left.
        const made = await session.query(`${insert} returning 1 as made`, valuesOf(reservation))
        if (made.length > 0) return undefined
        const before = await lock(reservation.orderId)
        if (before === undefined) throw failure('conflict')
        return before
      },
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
          mustMatch(orderIds.length),
        )
      },
    }
  },
})

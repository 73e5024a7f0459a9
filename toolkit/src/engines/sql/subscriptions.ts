import { rfc3339 } from '../../base/env.ts'
import type { Message } from '../../contract/index.ts'
import type {
  CursorMove,
  HeldId,
  HeldMessage,
  HeldStore,
  HeldTries,
  Position,
  SubscriptionId,
  SubscriptionStore,
} from '../../store/store.ts'
import type { SqlColumn, SqlDatabase, SqlSession } from './database.ts'

// Plans are made when little is held, and nothing is known of the table, so that all indexes look alike. Here nothing but the key's can serve, one key
// at a time: otherwise each move may read all that is held.
const moveAll = `
update serval_cursor c set position = m.last
from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[], $6::jsonb[])
  as m (subscription, publisher, partition, first, last, keys)
where c.subscription = m.subscription and c.publisher = m.publisher and c.partition = m.partition
  and c.position = m.first and not exists (
    select 1 from jsonb_array_elements_text(m.keys) as k (key) where (
      select true from serval_held h
      where h.key = k.key and h.subscription || '' = m.subscription and h.publisher || '' = m.publisher limit 1))`

interface Moves extends SubscriptionId {
  readonly partition: number
  readonly from: number
  readonly to: number
  /** None of these may have a held message. */
  readonly keys: readonly string[]
}

const columnsOf = (moves: readonly Moves[]): readonly SqlColumn[] => [
  moves.map((move) => move.subscription),
  moves.map((move) => move.publisher),
  moves.map((move) => move.partition),
  moves.map((move) => move.from),
  moves.map((move) => move.to),
  moves.map((move) => JSON.stringify(move.keys.map((key) => key.toWellFormed()))),
]

const movesOf = (columns: readonly SqlColumn[]): Moves[] =>
  (columns[0] ?? []).map((_, row) => {
    // As columnsOf made them.
    const [subscription, publisher, partition, from, to, keys] = columns.map(
      (column) => column[row],
    )
    const place = { subscription: String(subscription), publisher: String(publisher) }
    const [at, first, last] = [Number(partition), Number(from), Number(to)]
    return {
      ...place,
      partition: at,
      from: first,
      to: last,
      keys: JSON.parse(String(keys)) as string[],
    }
  })

/** Moves of one cursor that follow one another become one, from the first's start to the last's end. */
const joined = (columns: readonly SqlColumn[]): readonly SqlColumn[] => {
  const ends = new Map<string, Moves>()
  const moves: Moves[] = []
  for (const move of movesOf(columns).sort((a, b) => a.from - b.from)) {
    const id = JSON.stringify([move.subscription, move.publisher, move.partition])
    const before = ends.get(id)
    // What does not follow stays apart, and is refused.
    const follows = before !== undefined && before.to === move.from
    const whole = follows ? { ...before, to: move.to, keys: [...before.keys, ...move.keys] } : move
    if (follows) moves[moves.indexOf(before)] = whole
    else moves.push(whole)
    ends.set(id, whole)
  }
  return columnsOf(moves)
}

/** Moves cursors, unless another did so first or a message of the key is held. */
export const moveCursors = (session: SqlSession, moves: readonly CursorMove[]): void => {
  const [first] = moves
  if (first === undefined) return
  session.writeRows({
    text: moveAll,
    columns: columnsOf(
      moves.map((move) => ({ ...move, keys: move.key === undefined ? [] : [move.key] })),
    ),
    otherwise: 'superseded:cursor',
    phase: 'settle',
    chain: `${first.subscription}/${first.publisher}/${first.partition}`,
    combine: joined,
  })
}

const here = 'subscription = $1 and publisher = $2 and partition = $3 and position = $4'
const place = (id: HeldId) => [id.subscription, id.publisher, id.partition, id.position]

/** Deletes a held message and lets the next of its key be tried at once. */
export const settleHeld = (session: SqlSession, id: HeldId): void =>
  session.writeRows({
    text: `delete from serval_held h using unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[])
       as s (subscription, publisher, partition, position)
     where h.subscription = s.subscription and h.publisher = s.publisher
       and h.partition = s.partition and h.position = s.position`,
    columns: [[id.subscription], [id.publisher], [id.partition], [id.position]],
    otherwise: 'superseded:held',
    phase: 'settle',
  })

interface HeldRow {
  readonly [column: string]: unknown
  readonly subscription: string
  readonly publisher: string
  readonly partition: number
  readonly position: number
  readonly message: string
  readonly failures: number
  readonly tries: number
  readonly parked: boolean
  readonly error: string | null
}

const heldMessage = (row: HeldRow): HeldMessage => ({
  subscription: row.subscription,
  publisher: row.publisher,
  partition: row.partition,
  position: row.position,
  message: JSON.parse(row.message) as Message,
  failures: row.failures,
  tries: row.tries,
  parked: row.parked,
  error: row.error ?? undefined,
})

export const sqlSubscriptions = (database: SqlDatabase): SubscriptionStore => {
  const positions = ({ subscription, publisher }: SubscriptionId) =>
    database.read((session) =>
      session.query<Position & Record<string, unknown>>(
        'select partition, position from serval_cursor where subscription = $1 and publisher = $2 order by partition',
        [subscription, publisher],
      ),
    )
  return {
    open: async (id, start) => {
      await database.transaction(async (session) =>
        session.write(
          `insert into serval_cursor (subscription, publisher, partition, position)
           select $1, $2, p, n from unnest($3::smallint[], $4::bigint[]) as t (p, n) on conflict do nothing`,
          [
            id.subscription,
            id.publisher,
            start.map((at) => at.partition),
            start.map((at) => at.position),
          ],
        ),
      )
      return positions(id)
    },
    positions,
    held: heldStore(database),
  }
}

const heldStore = (database: SqlDatabase): HeldStore => ({
  put: (move, message, state) =>
    database.transaction(async (session) => {
      moveCursors(session, [{ ...move, key: undefined }])
      session.writeRows({
        text: `insert into serval_held (subscription, publisher, partition, position, key, message, due_at, failures, tries, error, holder, type, time)
           select * from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[], $8::int[], $9::int[], $10::text[], $11::text[], $12::text[], $13::timestamptz[])`,
        columns: [
          [move.subscription],
          [move.publisher],
          [message.partition],
          [message.position],
          [message.subject],
          [JSON.stringify(message)],
          [rfc3339(state.dueAt)],
          [state.failures],
          [state.tries],
          [state.error ?? null],
          [state.holder ?? null],
          [message.type],
          [message.time],
        ],
      })
    }),
  keys: ({ subscription, publisher }) =>
    database.read((session) =>
      session.query<{ partition: number; key: string; count: number }>(
        'select partition, key, count(*) as count from serval_held where subscription = $1 and publisher = $2 group by 1, 2',
        [subscription, publisher],
      ),
    ),
  claim: (id, claim) =>
    database.transaction(async (session) => {
      const { types } = claim
      const rows = await session.query<HeldRow>(
        // All that is held is read two or three times, whatever the plan. Half of what is taken are the oldest, half those that waited longest for a try. What another host
        // has claimed meanwhile has another ctid, and is left to it. Hosts of the release before say no type.
        `with first as materialized (
           select distinct on (partition, key) ctid as place, partition, position, time, parked, due_at, holder,
             coalesce(type, substring(message from '"type":"([^"]*)"')) as type
           from serval_held where subscription = $1 and publisher = $2 and partition = any($3::smallint[])
           order by partition, key, position
         ), due as materialized (
           select place from (
             select *, row_number() over (order by time nulls first, partition, position) as age,
               row_number() over (order by due_at, partition, position) as wait
             from first where not parked and ${'only' in types ? 'type = $10' : 'type <> all ($10::text[])'}
               and (due_at <= $4::timestamptz or case
                 when holder = $6 then $8::smallint[] is not null and not exists (
                   select 1 from unnest($8::smallint[], $9::bigint[]) as w (partition, position)
                   where w.partition = first.partition and w.position = first.position)
                 when holder is not null then not exists (
                   select 1 from serval_host where host = first.holder and until > $4::timestamptz)
                 else false end)
           ) as ranked order by least(age, wait), age limit $7::int
         ), free as materialized (
           select ctid as place from serval_held where ctid = any (array(select place from due))
           for update skip locked
         )
         update serval_held set due_at = $5::timestamptz, holder = $6
         where ctid = any (array(select place from free)) returning *`,
        [
          id.subscription,
          id.publisher,
          claim.partitions,
          rfc3339(claim.now),
          rfc3339(claim.until),
          claim.holder,
          claim.limit,
          claim.working?.map((at) => at.partition) ?? null,
          claim.working?.map((at) => at.position) ?? null,
          'only' in types ? types.only : types.except,
        ],
      )
      return rows.map(heldMessage)
    }),
  tries: heldTries(database),
})

const heldTries = (database: SqlDatabase): HeldTries => ({
  failed: (id, state) =>
    database.transaction(async (session) =>
      session.write(
        `update serval_held set due_at = $5::timestamptz, failures = $6, tries = $7, error = $8, parked = $9, holder = null where ${here}`,
        [
          ...place(id),
          rfc3339(state.dueAt),
          state.failures,
          state.tries,
          state.error,
          state.parked,
        ],
      ),
    ),
  parked: () =>
    database.read(async (session) =>
      (
        await session.query<HeldRow>(
          'select * from serval_held where parked order by subscription, publisher, partition, position',
        )
      ).map(heldMessage),
    ),
  replay: (id, key, now) =>
    database.transaction(async (session) => {
      const rows = await session.query(
        `update serval_held set parked = false, failures = 0, tries = 0, due_at = $4::timestamptz, holder = null
         where subscription = $1 and publisher = $2 and key = $3 and parked returning 1`,
        [id.subscription, id.publisher, key, rfc3339(now)],
      )
      return rows.length > 0
    }),
  discard: (id, key) =>
    database.transaction(async (session) => {
      const rows = await session.query(
        `delete from serval_held where (subscription, publisher, partition, position) in (
           select subscription, publisher, partition, position from serval_held
           where subscription = $1 and publisher = $2 and key = $3 and parked order by position limit 1
         ) returning 1`,
        [id.subscription, id.publisher, key],
      )
      return rows.length > 0
    }),
})

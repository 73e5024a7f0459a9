import { rfc3339 } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { Message } from '../../contract/index.ts'
import type { Log, LogReaders, Position } from '../../store/store.ts'
import type { SqlDatabase } from './database.ts'

interface Row {
  readonly [column: string]: unknown
  readonly asked: number
  readonly after: number
  readonly partition: number
  readonly position: number
  readonly key: string
  readonly id: string
  readonly type: string
  readonly data: string
  readonly at: number
  readonly correlation_id: string
}

interface EmptyRow {
  readonly [column: string]: unknown
  readonly asked: number
  readonly after: number
  readonly position: null
}

const message = (source: string, row: Row): Message => ({
  specversion: '1.0',
  id: row.id,
  source,
  type: row.type,
  subject: row.key,
  time: rfc3339(row.at),
  data: JSON.parse(row.data),
  correlationid: row.correlation_id,
  partition: row.partition,
  position: row.position,
})

/*
 * The relay is the only writer of the log. It locks the heads of all partitions, in order, and with the next statement moves and numbers what is
 * committed by then. An entry's sequence number was drawn under its key's row lock, so that the order of the numbers is the order of the commits
 * for each key, and an earlier entry of a key is visible whenever a later one is.
 */
const lockHeads = 'select from serval_head order by partition for update'

const moveEntries = `
with moved as (
  delete from serval_outbox where seq in (
    select seq from serval_outbox order by seq limit 1000
  ) returning *
), numbered as (
  select moved.*, head.position + row_number() over (partition by moved.partition order by seq) as number
  from moved join serval_head head using (partition)
), logged as (
  insert into serval_log (partition, position, key, id, type, data, at, correlation_id)
  select partition, number, key, id, type, data, at, correlation_id from numbered
)
update serval_head head set position = last.number
from (select partition, max(number) as number from numbered group by partition) last
where head.partition = last.partition returning head.partition`

/** What this process knows of its outbox without asking: whether it wrote there since the last relay. */
export interface OutboxHint {
  published: boolean
}

export const sqlLog = (database: SqlDatabase, source: string, hint: OutboxHint): Log => ({
  relay: async () => {
    // Other looks find nothing most of the time: they take no lock and no transaction.
    if (!hint.published) {
      const waiting = await database.read((session) =>
        session.query('select 1 from serval_outbox order by seq limit 1'),
      )
      if (waiting.length === 0) return []
    }
    hint.published = false
    return database.transaction(async (session) => {
      session.write(lockHeads)
      const grown = await session.query<{ partition: number }>(moveEntries)
      return grown.map((row) => row.partition)
    })
  },
  read: (after, limit) =>
    database.read(async (session) => {
      const rows = await session.query<Row | EmptyRow>(
        // A partition of which nothing is kept any more answers one row without a message.
        `select c.partition as asked, c.position as after, l.* from unnest($1::smallint[], $2::bigint[]) as c (partition, position)
         join serval_head h on h.partition = c.partition
         left join lateral (
           select * from serval_log where partition = c.partition and position > c.position order by position limit $3::int
         ) l on true
         where l.position is not null or c.position < h.position order by c.partition, l.position`,
        [after.map((at) => at.partition), after.map((at) => at.position), limit],
      )
      const messages: Message[] = []
      let before: Row | EmptyRow | undefined
      for (const row of rows) {
        const first = row.asked !== before?.asked
        if (first && row.after > 0 && row.position !== row.after + 1)
          throw failure(
            'cursor-too-old',
            `partition ${row.asked} of ${source}: asked from ${row.after + 1}, the log begins at ${row.position ?? 'its head'}`,
          )
        if (row.position !== null) messages.push(message(source, row))
        before = row
      }
      return messages
    }),
  heads: () =>
    database.read((session) =>
      session.query<Position & Record<string, unknown>>(
        'select partition, position from serval_head order by partition',
      ),
    ),
  readers: readers(database),
})

const readers = (database: SqlDatabase): LogReaders => ({
  report: (subscription, positions) =>
    database.transaction(async (session) =>
      session.write(
        `insert into serval_reader (subscription, partition, position)
         select $1, p, n from unnest($2::smallint[], $3::bigint[]) as t (p, n)
         on conflict (subscription, partition) do update set position = greatest(serval_reader.position, excluded.position)`,
        [subscription, positions.map((at) => at.partition), positions.map((at) => at.position)],
      ),
    ),
  list: () =>
    database.read((session) =>
      session.query<{ subscription: string; partition: number; position: number }>(
        'select subscription, partition, position from serval_reader order by 1, 2',
      ),
    ),
  forget: (subscription) =>
    database.transaction(async (session) =>
      session.write('delete from serval_reader where subscription = $1', [subscription]),
    ),
  prune: (before) =>
    database.transaction(async (session) => {
      const gone = await session.query(
        // Up to the first that is kept: times need not ascend, and a hole would look like a cursor that is too old.
        `delete from serval_log l using (
           select h.partition, least(
             (select position from serval_log where partition = h.partition and at >= $1::timestamptz order by position limit 1),
             (select min(position) + 1 from serval_reader where partition = h.partition),
             h.position + 1
           ) as kept from serval_head h
         ) k where l.partition = k.partition and l.position < k.kept returning 1`,
        [rfc3339(before)],
      )
      return gone.length
    }),
})

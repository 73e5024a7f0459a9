import { rfc3339 } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { Message } from '../../contract/index.ts'
import type { Log, LogReaders, Position } from '../../store/store.ts'
import type { SqlDatabase } from './database.ts'

interface Row {
  readonly [column: string]: unknown
  readonly partition: number
  readonly position: number
  readonly key: string
  readonly id: string
  readonly type: string
  readonly data: string
  readonly at: number
  readonly correlation_id: string
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
 * The relay is the only writer of the log. It locks the heads of the partitions that have something waiting, in order, and with the next statement
 * moves and numbers what is committed by then. An entry's sequence number was drawn under its key's row lock, so that the order of the numbers is the
 * order of the commits for each key, and an earlier entry of a key is visible whenever a later one is.
 */
const lockHeads = `
select partition from serval_head
where partition in (select distinct partition from serval_outbox) order by partition for update`

const moveEntries = `
with moved as (
  delete from serval_outbox where seq in (
    select seq from serval_outbox where partition = any($1::smallint[]) order by seq limit 1000
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

export const sqlLog = (database: SqlDatabase, source: string): Log => ({
  relay: async () => {
    // Most looks find nothing: they take no lock and no transaction.
    const waiting = await database.read((session) => session.query('select 1 from serval_outbox limit 1'))
    if (waiting.length === 0) return []
    return database.transaction(async (session) => {
      const heads = await session.query<{ partition: number }>(lockHeads)
      if (heads.length === 0) return []
      const grown = await session.query<{ partition: number }>(moveEntries, [heads.map((head) => head.partition)])
      return grown.map((row) => row.partition)
    })
  },
  read: (after, limit) =>
    database.read(async (session) => {
      const rows = await session.query<Row>(
        `select l.* from unnest($1::smallint[], $2::bigint[]) as c (partition, position)
         cross join lateral (
           select * from serval_log where partition = c.partition and position > c.position order by position limit $3::int
         ) l order by l.partition, l.position`,
        [after.map((at) => at.partition), after.map((at) => at.position), limit],
      )
      const next = new Map(after.map((at) => [at.partition, at.position + 1]))
      for (const row of rows) {
        const expected = next.get(row.partition)
        if (expected !== undefined && row.position > expected)
          throw failure('cursor-too-old', `partition ${row.partition} of ${source}: asked from ${expected}, the log begins at ${row.position}`)
        next.set(row.partition, row.position + 1)
      }
      return rows.map((row) => message(source, row))
    }),
  heads: () =>
    database.read((session) => session.query<Position & Record<string, unknown>>('select partition, position from serval_head order by partition')),
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
      session.query<{ subscription: string; partition: number; position: number }>('select subscription, partition, position from serval_reader order by 1, 2'),
    ),
  forget: (subscription) =>
    database.transaction(async (session) => session.write('delete from serval_reader where subscription = $1', [subscription])),
  prune: (before) =>
    database.transaction(async (session) => {
      const gone = await session.query(
        `delete from serval_log l where at < $1::timestamptz and not exists (
           select 1 from serval_reader r where r.partition = l.partition and r.position < l.position
         ) returning 1`,
        [rfc3339(before)],
      )
      return gone.length
    }),
})

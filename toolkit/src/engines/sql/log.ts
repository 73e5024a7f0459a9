import { rfc3339 } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { Message } from '../../contract/index.ts'
import { passedMessage, type Log, type LogReaders, type Position } from '../../store/store.ts'
import type { SqlDatabase } from './database.ts'

interface Asked {
  readonly [column: string]: unknown
  readonly asked: number
  readonly after: number
  /** The oldest position behind it that is kept. */
  readonly first: number | null
  /** The last position that is read, if any is kept. */
  readonly reached: number
}

interface Row extends Asked {
  readonly partition: number
  readonly position: number
  readonly key: string
  readonly id: string
  readonly type: string
  readonly data: string
  readonly at: number
  readonly correlation_id: string
}

interface EmptyRow extends Asked {
  readonly position: null
}

/** A partition in which nothing is found answers one row without a message. */
const readAfter = `
select c.partition as asked, c.position as after, f.first, least(h.position, f.first + $3::int - 1) as reached, l.*
from unnest($1::smallint[], $2::bigint[]) as c (partition, position)
join serval_head h on h.partition = c.partition and h.position > c.position
left join lateral (
  select position as first from serval_log where partition = c.partition and position > c.position order by position limit 1
) f on true
left join lateral (
  select * from (
    select * from serval_log where partition = c.partition and position > c.position order by position limit $3::int
  ) next where $4::text[] is null or type = any ($4::text[])
) l on true
order by c.partition, l.position`

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

export const sqlLog = (database: SqlDatabase, source: string): Log => ({
  read: (after, limit, types) =>
    database.read(async (session) => {
      const rows = await session.query<Row | EmptyRow>(readAfter, [
        after.map((at) => at.partition),
        after.map((at) => at.position),
        limit,
        types ?? null,
      ])
      const messages: Message[] = []
      for (const [n, row] of rows.entries()) {
        const { asked, first, reached } = row
        if (row.after > 0 && first !== row.after + 1)
          throw failure(
            'cursor-too-old',
            `partition ${asked} of ${source}: asked from ${row.after + 1}, the log begins at ${first ?? 'its head'}`,
          )
        if (row.position !== null) messages.push(message(source, row))
        const last = rows[n + 1]?.asked !== asked
        if (last && first !== null && row.position !== reached)
          messages.push(passedMessage(source, { partition: asked, position: reached }))
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

import { rfc3339, type Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { Message } from '../../contract/index.ts'
import type { Log, LogReaders, Position } from '../../store/store.ts'
import type { SqlDatabase } from './database.ts'
import { outboxRelay, type Published } from './outbox.ts'

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

export const sqlLog = (
  database: SqlDatabase,
  source: string,
  published: Published,
  env: Env,
): Log => ({
  relay: outboxRelay(database, published, env),
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

import { rfc3339, type Env } from '../../base/env.ts'
import type { OutboxEntry } from '../../store/store.ts'
import type { SqlDatabase, SqlSession } from './database.ts'

/*
 * How events come into the log. Whoever holds the row of a partition's head, and nobody else, numbers what follows it. A step does so itself, with its last
 * statement: it waits for who else is numbering, which takes no longer than a commit, however long that takes: a group that gave up would commit step by
 * step, and wait for the same heads again each time. What older releases' steps left in the outbox the relay moves; until it
 * has, what follows of their keys goes there too.
 *
 * For each key the order is that of the commits. A step writes its key's row before it publishes, and holds it until it has committed: so earlier entries of
 * the key were committed before this statement began, and it sees them, in the outbox (then it goes behind them) or in the log. In the outbox, a number is drawn
 * while the row is held, and the relay moves in the order of the numbers. The relay locks all heads first, and sees with its next statement what was committed by
 * then: whenever it sees an entry, it sees the earlier ones of its key.
 */

const publishEntries = `
with waiting as materialized (
  select key from serval_outbox order by seq
), patient as materialized (
  select set_config('lock_timeout', '0', true)
), head as materialized (
  select partition, position from serval_head, patient where partition = any ($1::smallint[])
  order by partition for update of serval_head
), entry as materialized (
  select given.*, given.key in (select key from waiting) as behind
  from unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
    with ordinality as given (partition, key, id, type, data, at, correlation_id, n)
), numbered as materialized (
  select entry.*, position + row_number() over (partition by partition order by n) as number
  from entry join head using (partition) where not behind
), logged as (
  insert into serval_log (partition, position, key, id, type, data, at, correlation_id)
  select partition, number, key, id, type, data, at, correlation_id from numbered
), moved as (
  update serval_head h set position = last.number
  from (select partition, max(number) as number from numbered group by partition) last
  where h.partition = last.partition
)
insert into serval_outbox (partition, key, id, type, data, at, correlation_id)
select partition, key, id, type, data, at, correlation_id from entry where behind order by n`

/** Writes events to the log, or to the outbox. The last statement of a step: others cannot number theirs until it has committed. */
export const publish = (session: SqlSession, entries: readonly OutboxEntry[]): void =>
  session.writeRows({
    text: publishEntries,
    columns: [
      entries.map((entry) => entry.partition),
      entries.map((entry) => entry.key),
      entries.map((entry) => entry.id),
      entries.map((entry) => entry.type),
      entries.map((entry) => entry.data),
      entries.map((entry) => rfc3339(entry.at)),
      entries.map((entry) => entry.correlationId),
    ],
    phase: 'publish',
    combine: (columns) => columns,
  })

const lockHeads = 'select from serval_head order by partition for update'

const atOnce = 1_000

const moveEntries = `
with moved as (
  delete from serval_outbox where seq in (
    select seq from serval_outbox order by seq limit ${atOnce}
  ) returning *
), numbered as (
  select moved.*, head.position + row_number() over (partition by moved.partition order by seq) as number
  from moved join serval_head head using (partition)
), logged as (
  insert into serval_log (partition, position, key, id, type, data, at, correlation_id)
  select partition, number, key, id, type, data, at, correlation_id from numbered
)
update serval_head head set position = last.number
from (select partition, max(number) as number, count(*) as moved from numbered group by partition) last
where head.partition = last.partition returning head.partition, last.moved`

/** The partitions of which this process has published since its last relay. */
export type Published = Set<number>

/** How often to look for what waits while steps publish: milliseconds. */
const lookMs = 200

/** Moves what waits. Answers the partitions that grew, also by this process's steps. */
export const outboxRelay = (
  database: SqlDatabase,
  published: Published,
  env: Env,
): (() => Promise<number[]>) => {
  let lookedAt = -Infinity
  let publishedAt = -Infinity
  return async () => {
    const now = env.now()
    const grown = new Set(published)
    published.clear()
    if (grown.size > 0) publishedAt = now
    if (Math.abs(now - publishedAt) < lookMs && Math.abs(now - lookedAt) < lookMs) return [...grown]
    lookedAt = now
    // Most of the time nothing waits: that takes no lock and no transaction.
    const waiting = await database.read((session) =>
      session.query('select 1 from serval_outbox order by seq limit 1'),
    )
    for (let more = waiting.length > 0; more;) {
      const moved = await database.transaction((session) => {
        session.write(lockHeads)
        return session.query<{ partition: number; moved: number }>(moveEntries)
      })
      for (const { partition } of moved) grown.add(partition)
      more = moved.reduce((sum, one) => sum + one.moved, 0) >= atOnce
    }
    return [...grown]
  }
}

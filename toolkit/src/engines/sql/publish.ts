import { rfc3339 } from '../../base/env.ts'
import type { EmittedEvent } from '../../store/store.ts'
import type { SqlSession } from './database.ts'

/*
 * How events come into the log. Whoever holds the row of a partition's head, and nobody else, numbers what follows it: a step locks the heads in their order and
 * keeps them until it has committed. It waits for who else is numbering, which takes no longer than a commit, however long that takes: a group that gave up would
 * commit step by step, and wait for the same heads again each time.
 *
 * For each key the order is that of the commits. A step writes its key's row before it publishes, and holds it until it has committed: so earlier events of the
 * key have their numbers by then.
 */

const publishEvents = `
with patient as materialized (
  select set_config('lock_timeout', '0', true)
), head as materialized (
  select partition, position from serval_head, patient where partition = any ($1::smallint[])
  order by partition for update of serval_head
), numbered as materialized (
  select given.*, position + row_number() over (partition by partition order by n) as number
  from unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
    with ordinality as given (partition, key, id, type, data, at, correlation_id, n)
  join head using (partition)
), moved as (
  update serval_head h set position = last.number
  from (select partition, max(number) as number from numbered group by partition) last
  where h.partition = last.partition
)
insert into serval_log (partition, position, key, id, type, data, at, correlation_id)
select partition, number, key, id, type, data, at, correlation_id from numbered`

/** Writes events to the log. The last statement of a step: others cannot number theirs until it has committed. */
export const publish = (session: SqlSession, events: readonly EmittedEvent[]): void =>
  session.writeRows({
    text: publishEvents,
    columns: [
      events.map((event) => event.partition),
      events.map((event) => event.key),
      events.map((event) => event.id),
      events.map((event) => event.type),
      events.map((event) => event.data),
      events.map((event) => rfc3339(event.at)),
      events.map((event) => event.correlationId),
    ],
    phase: 'publish',
    combine: (columns) => columns,
  })

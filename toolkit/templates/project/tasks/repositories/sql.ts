import { rfc3339 } from 'serval'
import { sqlRepository } from 'serval/engines/sql'
import type { Tasks } from '../repository.ts'

type Row = { id: string; title: string; added_at: number; done_at: number | null }

const taskOf = (row: Row) => ({
  id: row.id,
  title: row.title,
  addedAt: row.added_at,
  doneAt: row.done_at ?? undefined,
})

/** Times go in as RFC 3339 and come out as milliseconds. */
export const tasksOnSql = sqlRepository<Tasks>({
  // Once released, a migration is never edited: add another one.
  migrations: [
    {
      id: 'tasks-001-tasks',
      sql: `
create table task (
  id text primary key, title text not null, added_at timestamptz not null, done_at timestamptz
);
create table day (day text primary key, done integer not null);`,
    },
  ],
  open: (session) => ({
    load: async (id) => {
      const [row] = await session.query<Row>('select * from task where id = $1', [id])
      return row && taskOf(row)
    },
    add: ({ id, title, addedAt }) => {
      session.touch(id)
      session.write('insert into task (id, title, added_at) values ($1, $2, $3::timestamptz)', [
        id,
        title,
        rfc3339(addedAt),
      ])
    },
    markDone: (id, at) => {
      session.touch(id)
      session.write(
        'update task set done_at = $2::timestamptz where id = $1 and done_at is null',
        [id, rfc3339(at)],
        { rows: 1, otherwise: 'again' },
      )
    },
    // Ids sort by the time at which they were made.
    list: async (limit, after) =>
      (
        await session.query<Row>(
          'select * from task where $2::text is null or id < $2 order by id desc limit $1',
          [limit, after ?? null],
        )
      ).map(taskOf),
    countDone: (day) => {
      session.touch(day)
      session.write(
        'insert into day values ($1, 1) on conflict (day) do update set done = day.done + 1',
        [day],
      )
    },
    days: () => session.query('select day, done from day order by day desc limit 100'),
  }),
})

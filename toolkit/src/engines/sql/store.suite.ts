import { storeSuiteRepositories, type Counters, type Pages } from '../../testing/store.suite.ts'
import { sqlRepository } from './index.ts'

const counters = sqlRepository<Counters>({
  migrations: [
    {
      id: 'suite-001-counters',
      sql: 'create table counter (key text primary key, value integer not null);',
    },
  ],
  open: (session) => ({
    add: async (key, by) => {
      const [row] = await session.query<{ value: number }>(
        `insert into counter values ($1, $2)
         on conflict (key) do update set value = counter.value + excluded.value returning value`,
        [key, by],
      )
      return row?.value ?? 0
    },
    swap: (key, from, to, otherwise) =>
      session.write(
        'update counter set value = $3 where key = $1 and value = $2',
        [key, from, to],
        {
          rows: 1,
          otherwise,
        },
      ),
    value: async (key) => {
      const query = 'select value from counter where key = $1'
      return (await session.query<{ value: number }>(query, [key]))[0]?.value ?? 0
    },
  }),
})

const write =
  'insert into page values ($1, $2) on conflict (key) do update set value = excluded.value'

const pages = sqlRepository<Pages>({
  migrations: [
    {
      id: 'suite-002-pages',
      sql: 'create table page (key text primary key, value integer not null);',
    },
  ],
  open: (session) => ({
    touch: (aggregate) => session.touch(aggregate),
    write: (key, n) => session.write(write, [key, n]),
    writeAndAnswer: async (key, n) => {
      const written = `with written as (${write} returning value) select value from written`
      return (await session.query<{ value: number }>(written, [key, n]))[0]?.value ?? 0
    },
    value: async (key) => {
      const query = 'select value from page where key = $1'
      return (await session.query<{ value: number }>(query, [key]))[0]?.value
    },
  }),
})

/** What the store suite needs, for every engine that speaks SQL. */
export const sqlSuiteRepositories = storeSuiteRepositories('sql', {
  counters: () => Promise.resolve(counters),
  pages: () => Promise.resolve(pages),
})

import { afterAll, describe, expect, test } from 'vitest'
import { eventually } from '../../testing/eventually.ts'
import { startPostgres } from '../../testing/postgres-server.ts'
import { groupingSuite } from '../sql/grouping.suite.ts'
import { SqlError } from '../sql/database.ts'
import { postgres } from './index.ts'

const started = await startPostgres()
if ('missing' in started) {
  describe(`PostgreSQL: transactions that commit together [skipped: ${started.missing}]`, () => {
    test.skipIf(true)('all of it', () => undefined)
  })
} else {
  const { url, prefix } = started
  afterAll(() => started.stop(), 20_000)
  groupingSuite('PostgreSQL', () => postgres({ url, prefix }))

  describe('PostgreSQL: a group whose connection is lost', () => {
    test('loses no acknowledged row, doubles none, and says what it does not know', async () => {
      const [server, other] = [postgres({ url, prefix }), postgres({ url, prefix })]
      const database = await server.open('lost')
      const killer = await other.open('lost')
      await database.script('create table if not exists item (id integer primary key)')
      let over = false
      const killing = (async () => {
        while (!over) {
          await killer.read((session) =>
            session.query(
              'select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user and pid <> pg_backend_pid() and query like $1',
              ['%item%'],
            ),
          )
          await new Promise((resolve) => setTimeout(resolve, 15))
        }
      })()
      const acknowledged = new Set<number>()
      const open = new Set<number>()
      for (let round = 0; round < 30; round += 1)
        await Promise.all(
          Array.from({ length: 20 }, async (_, n) => {
            const id = round * 100 + n
            try {
              await database.transaction(async (session) =>
                session.writeRows({
                  text: 'insert into item select * from unnest($1::integer[])',
                  columns: [[id]],
                }),
              )
              acknowledged.add(id)
            } catch (error) {
              expect(error).toBeInstanceOf(SqlError)
              if ((error as SqlError).outcome === 'unknown') open.add(id)
            }
          }),
        )
      over = true
      await killing
      const rows = await killer.read((session) =>
        session.query<{ id: number }>('select id from item'),
      )
      const there = new Set(rows.map(({ id }) => id))
      expect(acknowledged.size).toBeGreaterThan(0)
      for (const id of acknowledged) expect(there.has(id)).toBe(true)
      for (const id of there) expect(acknowledged.has(id) || open.has(id)).toBe(true)
      await Promise.all([server.close(), other.close()])
    }, 60_000)
  })

  describe('PostgreSQL: reads that are asked at the same time', () => {
    const asked = async (
      text: string,
      values: readonly (readonly (string | number | readonly string[] | null)[])[],
      asOne = false,
    ) => {
      // One connection: its prepared statements tell what was asked.
      const server = postgres({ url, prefix, poolSize: 1 })
      const database = await server.open('reads')
      await database.script(`drop table if exists item;
        create table item (id text primary key, n integer, tags text[]);
        insert into item select 'k' || i, i, array['t' || i % 3, 'quote "\\ {}'] from generate_series(1, 50) i`)
      const ask = (one: (typeof values)[number]) =>
        database
          .read((session) => session.query(text, one))
          .catch((error: unknown) => (error as SqlError).sqlState)
      const apart: unknown[] = []
      for (const one of values) apart.push(await ask(one))
      const together = await Promise.all(values.map(ask))
      const again = await Promise.all(values.map(ask))
      const gathered = async () => {
        await Promise.all(values.map(ask))
        const statements = await database.read((session) =>
          session.query<{ text: string }>('select statement as text from pg_prepared_statements'),
        )
        return statements.some((one) => one.text.includes('serval_reader'))
      }
      // On a busy machine reads take long, and then each asks for itself for a while.
      if (asOne) await eventually(gathered, 'one statement for all')
      await server.close()
      expect(together).toEqual(apart)
      expect(again).toEqual(apart)
      return apart
    }

    test('get what each would have got by itself', async () => {
      const keys = ['k1', 'k2', 'none', 'k1', 'k50', "k'; drop table item"]
      const byKey = await asked(
        'select * from item where id = $1',
        keys.map((key) => [key]),
        true,
      )
      expect(byKey[0]).toEqual([{ id: 'k1', n: 1, tags: ['t1', 'quote "\\ {}'] }])
      await asked('select id, n from item where n > $1::integer and n <= $2::integer order by n desc;', [
        [1, 5], [10, 30], [60, 70], [null, 3],
      ]) // prettier-ignore
      await asked('select id from item where id = any ($1::text[]) order by id', [
        [['k3', 'k1']], [[]], [['none', 'a,"b\\']], [['k9', 'k9']],
      ]) // prettier-ignore
      await asked('select count(*) as n, max(n) as most from item where n < $1::integer', [
        [3],
        [0],
        [99],
      ])
      await asked(
        'with few as (select * from item where n < $1::integer) select id from few order by n',
        [[3], [5]],
      )
    }, 30_000)

    test('get it also where they cannot be asked as one', async () => {
      await asked('select id from item order by n limit $1', [[1], [3], [0]])
      await asked('select 100 / $1::integer as n', [[1], [0], [5]])
      await asked("select id from item where id = $1 and 'a$1' = 'a$1'", [['k1'], ['k2']])
      await asked('select $1::jsonb as value', [['{"a":1}'], ['[]']])
    }, 30_000)
  })
}

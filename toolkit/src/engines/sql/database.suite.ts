import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { failure } from '../../base/failure.ts'
import { GuardFailed, SqlError, type SqlDatabase, type SqlServer } from './database.ts'

const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    return await promise.then((value) => new Error(`resolved with ${JSON.stringify(value)}`))
  } catch (error) {
    return error
  }
}

const sqlState = async (promise: Promise<unknown>): Promise<string> => {
  const error = await rejection(promise)
  return error instanceof SqlError ? error.sqlState : String(error)
}

/** What every engine behind the port must do. `makeServer` gives a server with no services yet. */
export const sqlServerSuite = (name: string, makeServer: () => SqlServer | Promise<SqlServer>) => {
  describe(`${name}: the SQL port`, () => {
    let server: SqlServer
    // A new table rather than a new service: creating a database takes a server long.
    const withTable = async (service = 'items'): Promise<SqlDatabase> => {
      const database = await server.open(service)
      await database.script(`drop table if exists item;
        create table item (id integer primary key, n integer not null)`)
      return database
    }
    const items = (database: SqlDatabase) =>
      database.read((session) =>
        session.query<{ id: number; n: number }>('select id, n from item order by id'),
      )
    const insert = 'insert into item (id, n) values ($1, $2)'
    const one = { rows: 1, otherwise: 'again' } as const

    // Creating the first database takes seconds on a loaded machine.
    beforeAll(async () => {
      server = await makeServer()
    }, 60_000)
    afterAll(() => server?.close(), 20_000)

    describe('types', () => {
      const roundTrip = async (type: string, value: unknown) => {
        const database = await server.open('types')
        const rows = await database.read((session) =>
          session.query(`select $1::${type} as value`, [value as never]),
        )
        return rows[0]?.['value']
      }
      const cases: readonly (readonly [type: string, value: unknown])[] = [
        ['text', 'Müller 🐆 "quoted" \\ back\nline'],
        ['text', ''],
        ['text', null],
        ['uuid', '0190f5c0-0000-7000-8000-000000000001'],
        ['smallint', -32768],
        ['integer', 2147483647],
        ['bigint', Number.MAX_SAFE_INTEGER],
        ['bigint', Number.MIN_SAFE_INTEGER],
        ['double precision', 0.1],
        ['boolean', true],
        ['boolean', false],
        ['timestamptz', 1_700_000_000_123],
        ['timestamptz', 0],
        ['timestamptz', -1],
        ['timestamptz', Date.UTC(2024, 1, 29, 23, 59, 59, 5)],
        ['timestamptz', new Date('0099-03-01T00:00:00Z').getTime()],
        ['timestamptz', null],
        ['text[]', ['a', '', 'with "quotes", \\ and {braces}', 'NULL', ' ']],
        ['text[]', []],
        ['bigint[]', [1, -2, Number.MAX_SAFE_INTEGER]],
        ['integer[]', [1, 2, 3]],
        ['integer[]', []],
        ['uuid[]', ['0190f5c0-0000-7000-8000-000000000001']],
        ['timestamptz[]', [0, 1_700_000_000_123]],
      ]
      for (const [type, value] of cases)
        test(`${type} ${JSON.stringify(value)} comes back as it went`, async () => {
          expect(await roundTrip(type, value)).toEqual(value)
        })

      test('bytea is a Uint8Array', async () => {
        const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
        const back = await roundTrip('bytea', bytes)
        expect(back).toBeInstanceOf(Uint8Array)
        expect([...(back as Uint8Array)]).toEqual([...bytes])
        expect([...((await roundTrip('bytea', new Uint8Array(0))) as Uint8Array)]).toEqual([])
      })

      test('json is written as the text that it is given, and read as a value', async () => {
        const value = { a: [1, 'x', null, true], b: { c: '"' } }
        expect(await roundTrip('jsonb', JSON.stringify(value))).toEqual(value)
        expect(await roundTrip('json', '"text"')).toBe('text')
        const database = await server.open('types')
        const verbatim = await database.read((session) =>
          session.query('select $1::json::text as value', ['{"z" : 1,  "a":2}']),
        )
        expect(verbatim).toEqual([{ value: '{"z" : 1,  "a":2}' }])
      })

      test('count(*) is a number, a parameter takes the type of its column', async () => {
        const database = await server.open('types')
        await database.script('create table at_ (at timestamptz, note text, big bigint)')
        await database.transaction(async (session) => {
          session.write('insert into at_ values ($1, $2, $3)', [1_700_000_000_123, 'x', 5])
        })
        const rows = await database.read((session) =>
          session.query(
            'select at, count(*) from at_ where at <= $1 and note = any($2) group by at',
            [1_700_000_000_123, ['x', 'y']],
          ),
        )
        expect(rows).toEqual([{ at: 1_700_000_000_123, count: 1 }])
      })

      test('digits below milliseconds are cut', async () => {
        const database = await server.open('types')
        const [row] = await database.read((session) =>
          session.query(`select '2024-01-01 00:00:00.123999+00'::timestamptz as at`),
        )
        expect(row?.['at']).toBe(Date.UTC(2024, 0, 1, 0, 0, 0, 123))
      })

      test('a bigint beyond 2^53-1 is an error both ways', async () => {
        const database = await server.open('types')
        const read = database.read((s) => s.query('select 9007199254740993 as big'))
        expect(await sqlState(read)).toBe('22003')
        expect(await sqlState(roundTrip('bigint', 2 ** 53))).toBe('22P02')
        // The session is as good as before.
        expect(await roundTrip('bigint', 1)).toBe(1)
      })

      test('values that do not fit their type are refused by the database', async () => {
        expect(await sqlState(roundTrip('integer', 'x'))).toBe('22P02')
        expect(await sqlState(roundTrip('jsonb', '{'))).toBe('22P02')
        expect(await sqlState(roundTrip('timestamptz', Number.NaN))).toBe('22007')
        expect(await roundTrip('integer', 7)).toBe(7)
      })
    })

    describe('a transaction', () => {
      test('returns the value of its work and commits', async () => {
        const database = await withTable()
        const value = await database.transaction(async (session) => {
          session.write(insert, [1, 10])
          return 'done'
        })
        expect(value).toBe('done')
        expect(await items(database)).toEqual([{ id: 1, n: 10 }])
      })

      test('runs writes and queries in the order in which they were given', async () => {
        const database = await withTable()
        const seen = await database.transaction(async (session) => {
          session.write(insert, [1, 1])
          session.write('update item set n = n * 10 where id = 1')
          session.write('update item set n = n + 1 where id = 1')
          const first = session.query<{ n: number }>('select n from item where id = 1')
          session.write('update item set n = n * 2 where id = 1')
          const second = session.query<{ n: number }>('select n from item where id = 1')
          session.write('update item set n = n + 3 where id = 1')
          return [await first, await second].map(([row]) => row?.n)
        })
        expect(seen).toEqual([11, 22])
        expect(await items(database)).toEqual([{ id: 1, n: 25 }])
      })

      test('gives the rows of a statement with RETURNING', async () => {
        const database = await withTable()
        const rows = await database.transaction((session) =>
          session.query('insert into item values (1, 5), (2, 6) returning id, n + 1 as more'),
        )
        expect(rows).toEqual([
          { id: 1, more: 6 },
          { id: 2, more: 7 },
        ])
      })

      test('sees its own writes, and nobody else does before the commit', async () => {
        const database = await withTable()
        const counted = await database.transaction(async (session) => {
          session.write(insert, [1, 1])
          return session.query('select count(*) from item')
        })
        expect(counted).toEqual([{ count: 1 }])
      })

      test('leaves nothing when its work throws', async () => {
        const database = await withTable()
        const boom = new Error('boom')
        for (const flushed of [false, true]) {
          const failed = database.transaction(async (session) => {
            session.write(insert, [1, 1])
            if (flushed) await session.query('select 1')
            throw boom
          })
          expect(await rejection(failed)).toBe(boom)
        }
        expect(await items(database)).toEqual([])
      })

      test('that fails in a write rejects, and nothing around the write is kept', async () => {
        const database = await withTable()
        const failed = await rejection(
          database.transaction(async (session) => {
            session.write(insert, [1, 1])
            session.write(insert, [1, 2])
            session.write(insert, [2, 2])
          }),
        )
        expect(failed).toBeInstanceOf(SqlError)
        expect(failed).toMatchObject({
          sqlState: '23505',
          constraint: 'item_pkey',
          outcome: 'rolled-back',
          again: false,
          unreachable: false,
        })
        expect(await items(database)).toEqual([])
      })

      test('that gives a statement too few values has a fault of its own, not a database that is away', async () => {
        const database = await withTable()
        const failed = await rejection(
          database.transaction((session) => session.query('select $1::int + $2::int', [1])),
        )
        expect(failed).toMatchObject({ sqlState: '08P01', unreachable: false })
      })

      test('is doomed by a failed query, also when its work swallows the failure', async () => {
        const database = await withTable()
        const failed = database.transaction(async (session) => {
          session.write(insert, [1, 1])
          await session.query('select * from nowhere').catch(() => undefined)
          expect(await sqlState(session.query('select 1'))).toBe('42P01')
          return 'never'
        })
        expect(await sqlState(failed)).toBe('42P01')
        expect(await items(database)).toEqual([])
      })

      test('waits for a query that its work did not wait for', async () => {
        const database = await withTable()
        await database.transaction(async (session) => {
          void session.query(insert, [1, 1])
        })
        expect(await items(database)).toEqual([{ id: 1, n: 1 }])
        const failed = database.transaction(async (session) => {
          session.write(insert, [2, 2])
          void session.query('select * from nowhere')
        })
        expect(await sqlState(failed)).toBe('42P01')
        expect(await items(database)).toEqual([{ id: 1, n: 1 }])
      })

      test('that does nothing succeeds', async () => {
        const database = await withTable()
        expect(await database.transaction(async () => 3)).toBe(3)
      })

      test('is over when its work is: its session refuses', async () => {
        const database = await withTable()
        const session = await database.transaction(async (s) => s)
        expect(await sqlState(session.query('select 1'))).toBe('25000')
        expect(() => session.write('select 1')).toThrow(SqlError)
      })

      test('checks a deferred constraint in its commit', async () => {
        const database = await server.open('items')
        await database.script(`create table parent (id integer primary key);
          create table child (id integer references parent deferrable initially deferred)`)
        const failed = await rejection(
          database.transaction(async (session) => session.write('insert into child values (1)')),
        )
        expect(failed).toMatchObject({ sqlState: '23503', outcome: 'rolled-back' })
        const ok = await database.transaction(async (session) => {
          session.write('insert into child values (1)')
          session.write('insert into parent values (1)')
        })
        expect(ok).toBeUndefined()
      })

      test('takes many writes and large values at once', async () => {
        const database = await server.open('items')
        await database.script('create table big (id integer primary key, body text not null)')
        const body = 'ä'.repeat(100_000)
        await database.transaction(async (session) => {
          for (let id = 0; id < 300; id += 1)
            session.write('insert into big values ($1, $2)', [id, id % 50 === 0 ? body : 'x'])
        })
        const [row] = await database.read((session) =>
          session.query('select count(*), sum(length(body))::bigint as total from big'),
        )
        expect(row).toEqual({ count: 300, total: 6 * 100_000 + 294 })
      })
    })

    describe('a guard', () => {
      test('lets the transaction pass when its statement changed the rows that it must', async () => {
        const database = await withTable()
        await database.transaction(async (session) => {
          session.write(insert, [1, 5], one)
          session.write('insert into item values (2, 5), (3, 5)', [], {
            rows: 2,
            otherwise: 'again',
          })
          session.write('update item set n = n - $2 where id = $1 and n >= $2', [1, 5], one)
          session.write('delete from item where id = $1', [3], one)
          session.write('delete from item where id = $1', [9], { rows: 0, otherwise: 'again' })
        })
        expect(await items(database)).toEqual([
          { id: 1, n: 0 },
          { id: 2, n: 5 },
        ])
      })

      const failing = {
        'no row': ['update item set n = 0 where id = 99', 1],
        'too many rows': ['update item set n = 0', 1],
        'a row that must not be there': ['delete from item where id = 1', 0],
        'no row, by a conflict': ['insert into item values (1, 1) on conflict do nothing', 1],
      } as const
      for (const [what, [text, rows]] of Object.entries(failing))
        test(`fails the whole transaction on ${what}`, async () => {
          const database = await withTable()
          await database.script('insert into item values (1, 1), (2, 2)')
          const error = await rejection(
            database.transaction(async (session) => {
              session.write(insert, [3, 3])
              session.write('update item set n = n + 1 where id = 2', [], one)
              session.write(text, [], { rows, otherwise: 'out-of-stock' })
              session.write(insert, [4, 4], { rows: 1, otherwise: 'another' })
            }),
          )
          expect(error).toBeInstanceOf(GuardFailed)
          expect((error as GuardFailed).otherwise).toBe('out-of-stock')
          expect(await items(database)).toEqual([
            { id: 1, n: 1 },
            { id: 2, n: 2 },
          ])
        })

      test('rejects the query that sends it, and carries the failure to throw', async () => {
        const database = await withTable()
        const otherwise = failure('conflict')
        const error = await rejection(
          database.transaction(async (session) => {
            session.write('update item set n = 0 where id = 1', [], { rows: 1, otherwise })
            await session.query('select 1').catch(() => undefined)
          }),
        )
        expect(error).toBeInstanceOf(GuardFailed)
        expect((error as GuardFailed).otherwise).toBe(otherwise)
      })

      test('of two updates of one version lets exactly one win', async () => {
        const database = await withTable()
        await database.script('insert into item values (1, 0)')
        const bump = async () => {
          for (let tries = 0; ; tries += 1) {
            const [row] = await database.read((s) =>
              s.query<{ n: number }>('select n from item where id = 1'),
            )
            try {
              await database.transaction(async (session) => {
                const text = 'update item set n = n + 1 where id = 1 and n = $1'
                session.write(text, [row!.n], one)
              })
              return tries
            } catch (error) {
              if (!(error instanceof GuardFailed)) throw error
            }
          }
        }
        const lanes = 8
        await Promise.all(Array.from({ length: lanes }, bump))
        expect(await items(database)).toEqual([{ id: 1, n: lanes }])
      })

      test('of two that read one version before either writes lets exactly one win', async () => {
        const database = await withTable()
        await database.script('insert into item values (1, 0)')
        const attempt = () =>
          rejection(
            database.transaction(async (session) => {
              session.write('update item set n = 1 where id = 1 and n = 0', [], one)
              return 'won'
            }),
          )
        const results = await Promise.all([attempt(), attempt(), attempt()])
        expect(results.filter((result) => result instanceof GuardFailed)).toHaveLength(2)
        expect(await items(database)).toEqual([{ id: 1, n: 1 }])
      })
    })

    describe('read', () => {
      test('refuses to write', async () => {
        const database = await withTable()
        for (const text of [
          'insert into item values (1, 1)',
          'with x as (insert into item values (1, 1) returning 1) select * from x',
          'create table other (id integer)',
        ])
          expect(await sqlState(database.read((session) => session.query(text)))).toBe('25006')
        const write = database.read(async (session) => session.write(insert, [1, 1]))
        expect(await sqlState(write)).toBe('25006')
        expect(await items(database)).toEqual([])
      })

      test('sees in each statement what is committed when it starts', async () => {
        const database = await withTable()
        const seen = await database.read(async (session) => {
          const before = await session.query('select id from item')
          await database.transaction(async (s) => s.write(insert, [1, 1]))
          return [before, await session.query('select id from item')]
        })
        expect(seen).toEqual([[], [{ id: 1 }]])
      })

      test('runs its queries in order, and goes on after one that fails', async () => {
        const database = await withTable()
        const results = await database.read((session) =>
          Promise.allSettled([
            session.query('select 1 as a'),
            session.query('select * from nowhere'),
            session.query('select 2 as a'),
          ]),
        )
        expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      })
    })

    describe('a script', () => {
      test('runs several statements as one', async () => {
        const database = await withTable()
        const broken = 'insert into item values (1, 1); create table x (id integer); select 1/0'
        expect(await sqlState(database.script(broken))).toBe('22012')
        expect(await items(database)).toEqual([])
        await database.script(`insert into item values (1, 1);
          create table x (id integer); -- a comment; with a semicolon
          insert into x select id from item;`)
        const rows = await database.read((session) => session.query('select id from x'))
        expect(rows).toEqual([{ id: 1 }])
      })

      test('may change a table that statements were prepared for', async () => {
        const database = await withTable()
        const all = () => database.read((session) => session.query('select * from item'))
        await database.script('insert into item values (1, 1)')
        expect(await all()).toEqual([{ id: 1, n: 1 }])
        await database.script(`alter table item add column note text default 'new'`)
        expect(await all()).toEqual([{ id: 1, n: 1, note: 'new' }])
      })
    })

    test('a script of one service does not disturb what others have prepared', async () => {
      const a = await withTable('svc-a')
      const b = await withTable('svc-b')
      const write = (database: SqlDatabase, id: number) =>
        database.transaction(async (session) => session.write(insert, [id, id]))
      await write(a, 1)
      await b.script('create table if not exists another (id integer)')
      await write(a, 2)
      await write(b, 1)
      expect([(await items(a)).length, (await items(b)).length]).toEqual([2, 1])
    })

    test('each service has tables of its own, which no other can read or write', async () => {
      const a = await server.open('svc-a')
      const b = await server.open('svc-b')
      for (const each of [a, b])
        await each.script('drop table if exists item; create table item (id integer primary key)')
      await a.transaction(async (session) => session.write('insert into item values (1)'))
      const none = await b.read((session) => session.query('select * from item'))
      expect(none).toEqual([])
      const rows = await Promise.all(
        [a, b, a, b].map((each) => each.read((session) => session.query('select * from item'))),
      )
      expect(rows.map(({ length }) => length)).toEqual([1, 0, 1, 0])
      const others = 'select * from "svc-a".item'
      // Another schema's table, or no such table where databases are apart: refused in any case.
      for (const refused of [
        () => b.read((session) => session.query(others)),
        () => b.transaction((session) => session.query(others)),
        () => b.transaction(async (session) => session.write('delete from "svc-a".item')),
        () => b.script('drop table "svc-a".item'),
      ])
        expect(['42501', '42P01', '3F000']).toContain(await sqlState(refused()))
      expect(await a.read((session) => session.query('select * from item'))).toEqual([{ id: 1 }])
    })

    test('opening a service twice gives the same tables', async () => {
      const database = await withTable()
      const again = await server.open('items')
      await database.transaction(async (session) => session.write(insert, [1, 1]))
      expect(await items(again)).toEqual([{ id: 1, n: 1 }])
    })

    test('strange service names are refused', async () => {
      for (const name of ['', 'A', '1a', 'a"b', 'a b', 'x'.repeat(40)])
        expect(await rejection(server.open(name))).toMatchObject({ code: 'misconfigured' })
    })

    test('many transactions at once all commit', async () => {
      const database = await withTable()
      await Promise.all(
        Array.from({ length: 100 }, (_, id) =>
          database.transaction(async (session) => {
            session.write(insert, [id, id])
            if (id % 3 === 0) await session.query('select 1')
            session.write('update item set n = n + 1 where id = $1', [id], one)
          }),
        ),
      )
      const [row] = await database.read((session) =>
        session.query('select count(*), sum(n)::bigint as total from item'),
      )
      expect(row).toEqual({ count: 100, total: 5050 })
    })

    test('after close everything is refused as unreachable', async () => {
      const own = await makeServer()
      const database = await own.open('closing')
      await database.script('create table item (id integer primary key)')
      await own.close()
      for (const refused of [
        () => database.read((session) => session.query('select 1')),
        () => database.transaction(async (session) => session.write('insert into item values (1)')),
        () => database.script('select 1'),
      ]) {
        const error = await rejection(refused())
        expect(error).toBeInstanceOf(SqlError)
        expect((error as SqlError).unreachable).toBe(true)
      }
      await own.close()
    }, 60_000)
  })
}

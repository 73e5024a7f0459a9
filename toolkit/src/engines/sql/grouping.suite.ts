import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  GuardFailed,
  SqlError,
  type SqlDatabase,
  type SqlServer,
  type SqlSession,
} from './database.ts'

/*
 * Transactions that only write commit together. These tests try to make that visible to anyone: whatever is started at the same time must end as if
 * each had run by itself, one after the other.
 */

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

const outcome = (error: unknown): string => {
  if (error instanceof GuardFailed) return String(error.otherwise)
  return error instanceof SqlError ? error.sqlState : String(error)
}

const addRow = (session: SqlSession, id: number, n: number, otherwise?: string) =>
  session.writeRows({
    text: `insert into item (id, n) select * from unnest($1::integer[], $2::integer[])${otherwise === undefined ? '' : ' on conflict do nothing'}`,
    columns: [[id], [n]],
    otherwise,
  })

/** Takes from a row that must have as much; rows of one key in a group become one. */
const take = (session: SqlSession, id: number, by: number) =>
  session.writeRows({
    text: `update item set n = item.n - row.by from unnest($1::integer[], $2::integer[]) as row (id, by)
      where item.id = row.id and item.n >= row.by`,
    columns: [[id], [by]],
    otherwise: 'too-few',
    combine: ([ids = [], amounts = []]) => {
      const sums = new Map<number, number>()
      ids.forEach((one, row) =>
        sums.set(Number(one), (sums.get(Number(one)) ?? 0) + Number(amounts[row])),
      )
      return [[...sums.keys()], [...sums.values()]]
    },
  })

const swap = (session: SqlSession, id: number, from: number, to: number) =>
  session.writeRows({
    text: `update item set n = row.after from unnest($1::integer[], $2::integer[], $3::integer[]) as row (id, before, after)
      where item.id = row.id and item.n = row.before`,
    columns: [[id], [from], [to]],
    otherwise: 'changed',
  })

/** `makeServer` gives another host's view of one server each time it is called. */
export const groupingSuite = (name: string, makeServer: () => SqlServer) => {
  describe(`${name}: transactions that commit together`, () => {
    const servers: SqlServer[] = []
    let database: SqlDatabase
    beforeAll(async () => {
      servers.push(makeServer())
      database = await servers[0]!.open('grouping')
    }, 60_000)
    afterAll(async () => {
      for (const server of servers) await server.close()
    }, 20_000)

    const begin = (...rows: readonly (readonly [number, number])[]) =>
      database.script(`drop table if exists item;
        create table item (id integer primary key, n integer not null check (n > -1000));
        insert into item values (-1, 0)${rows.map(([id, n]) => `, (${id}, ${n})`).join('')}`)
    const items = async () =>
      new Map(
        (
          await database.read((session) =>
            session.query<{ id: number; n: number }>(
              'select id, n from item where id >= 0 order by id',
            ),
          )
        ).map(({ id, n }) => [id, n]),
      )
    /** All at once; answers `done` or what each failed with. */
    const all = (works: readonly ((session: SqlSession) => void)[], on = database) =>
      Promise.all(
        works.map((work) =>
          on.transaction(async (session) => work(session)).then(() => 'done', outcome),
        ),
      )

    test('they share commits', async () => {
      await begin()
      await all(numbers(40).map((n) => (session) => addRow(session, n, n)))
      const [row] = await database.read((session) =>
        session.query<{ rows: number; commits: number }>(
          'select count(*) as rows, count(distinct xmin::text) as commits from item where id >= 0',
        ),
      )
      expect(row?.rows).toBe(40)
      expect(row?.commits).toBeLessThan(20)
    })

    test('one that fails fails alone, by its own failure, and leaves nothing', async () => {
      for (const [fail, expected] of [
        [(session: SqlSession) => take(session, 99, 1), 'too-few'],
        [(session: SqlSession) => session.write('insert into item values (-1, 1)'), '23505'],
        [
          (session: SqlSession) => session.write('update item set n = -5000 where id = -1'),
          '23514',
        ],
        [(session: SqlSession) => session.write('select nonsense'), '42703'],
      ] as const) {
        await begin()
        const works = numbers(12).map((n) => (session: SqlSession) => {
          addRow(session, n, n)
          if (n !== 5) return
          session.write('update item set n = n + 1 where id = -1')
          fail(session)
        })
        const ends = await all(works)
        expect(ends).toEqual(numbers(12).map((n) => (n === 5 ? expected : 'done')))
        expect([...(await items()).keys()]).toEqual(numbers(12).filter((n) => n !== 5))
      }
    })

    test('of many that take the last units, as many succeed as there are', async () => {
      for (const one of [
        (session: SqlSession) => take(session, 1, 1),
        (session: SqlSession) =>
          session.write('update item set n = n - 1 where id = 1 and n >= 1', [], {
            rows: 1,
            otherwise: 'too-few',
          }),
      ]) {
        await begin([1, 10])
        const ends = await all(numbers(30).map(() => one))
        expect(ends.filter((end) => end === 'done')).toHaveLength(10)
        expect(ends.filter((end) => end === 'too-few')).toHaveLength(20)
        expect((await items()).get(1)).toBe(0)
      }
    })

    test('no update of one row is lost: what all can do, all do', async () => {
      await begin([1, 100], [2, 0])
      expect(new Set(await all(numbers(20).map(() => (session) => take(session, 1, 2))))).toEqual(
        new Set(['done']),
      )
      expect((await items()).get(1)).toBe(60)
      // Rows without a guard are statements of their own.
      const add = (session: SqlSession) =>
        session.writeRows({
          text: 'update item set n = item.n + row.by from unnest($1::integer[], $2::integer[]) as row (id, by) where item.id = row.id',
          columns: [[2], [1]],
        })
      await all(numbers(20).map(() => add))
      expect((await items()).get(2)).toBe(20)
    })

    test('of those that found one version exactly one writes', async () => {
      await begin([1, 0])
      const ends = await all(numbers(9).map((n) => (session) => swap(session, 1, 0, n + 1)))
      expect(ends.filter((end) => end === 'done')).toHaveLength(1)
      expect((await items()).get(1)).toBe(ends.indexOf('done') + 1)
    })

    test('of those that use one key exactly one has it, with all that belongs to it', async () => {
      await begin()
      const ends = await all(
        numbers(9).map((n) => (session) => {
          addRow(session, 100 + n, n)
          addRow(session, 1, n, 'taken')
        }),
      )
      expect(ends.filter((end) => end === 'done')).toHaveLength(1)
      expect(ends.filter((end) => end === 'taken')).toHaveLength(8)
      expect([...(await items())]).toEqual([
        [1, ends.indexOf('done')],
        [100 + ends.indexOf('done'), ends.indexOf('done')],
      ])
    })

    test('a chain keeps its order, and what follows a failed link is refused', async () => {
      await begin([1, 0])
      const link =
        (from: number, fails = false) =>
        (session: SqlSession) => {
          addRow(session, 100 + from, from)
          session.writeRows({
            text: 'update item set n = row.after from unnest($1::integer[], $2::integer[], $3::integer[]) as row (id, before, after) where item.id = row.id and item.n = row.before',
            columns: [[1], [from], [from + 1]],
            otherwise: 'link',
            chain: 'one',
          })
          if (fails) take(session, 99, 1)
        }
      // Links of one row cannot be one statement: the group fails, and the links run one after the other; so do those of the next group.
      expect(new Set(await all(numbers(80).map((n) => link(n))))).toEqual(new Set(['done']))
      expect((await items()).get(1)).toBe(80)
      const ends = await all([80, 81, 82, 83].map((n) => link(n, n === 82)))
      expect(ends).toEqual(['done', 'done', 'too-few', 'link'])
      expect((await items()).get(1)).toBe(82)
    })

    test('whatever is started at once ends as if it had run one after the other', async () => {
      const op = fc.oneof(
        fc.record({ kind: fc.constant('double' as const), id: fc.nat(2), by: fc.nat(3) }),
        fc.record({ kind: fc.constant('move' as const), id: fc.nat(2), by: fc.nat(3) }),
        fc.record({ kind: fc.constant('add' as const), id: fc.nat(2), by: fc.nat(3) }),
      )
      const property = fc.asyncProperty(
        fc.array(op, { minLength: 2, maxLength: 20 }),
        async (plan) => {
          await begin([0, 1], [1, 1], [2, 1])
          const model = new Map([[0, 1], [1, 1], [2, 1]]) // prettier-ignore
          const next = numbers(plan.length)
          for (const [row, { kind, id, by }] of plan.entries()) {
            const n = model.get(id) ?? 0
            if (kind === 'double') model.set(id, (n * 2 + by) % 97)
            else if (kind === 'add') model.set(id, n + by)
            else {
              model.set(id, n - by)
              model.set((id + 1) % 3, (model.get((id + 1) % 3) ?? 0) + by)
            }
            model.set(1_000 + row, next[row] ?? 0)
          }
          const ends = await all(
            plan.map(({ kind, id, by }, row) => (session) => {
              if (kind === 'double')
                session.write('update item set n = (n * 2 + $2::integer) % 97 where id = $1', [
                  id,
                  by,
                ])
              else if (kind === 'add')
                session.writeRows({
                  text: 'update item set n = item.n + row.by from unnest($1::integer[], $2::integer[]) as row (id, by) where item.id = row.id',
                  columns: [[id], [by]],
                  otherwise: 'gone',
                })
              else {
                session.write('update item set n = n - $2::integer where id = $1', [id, by])
                session.write('update item set n = n + $2::integer where id = $1', [
                  (id + 1) % 3,
                  by,
                ])
              }
              addRow(session, 1_000 + row, next[row] ?? 0)
            }),
          )
          expect(new Set(ends)).toEqual(new Set(['done']))
          // In the order of their start, unless the group could not be one: then in some order, which sums do not show.
          const found = await items()
          const ordered = plan.every(({ kind }) => kind !== 'add')
          if (ordered) expect(found).toEqual(model)
          else {
            expect(found.size).toBe(model.size)
            if (plan.every(({ kind }) => kind !== 'double')) expect(found).toEqual(model)
          }
        },
      )
      await fc.assert(property, { numRuns: 25 })
    }, 60_000)

    test('groups of two hosts that want the same rows in any order all end, and no unit is lost', async () => {
      const keys = numbers(6)
      await begin(...keys.map((id) => [id, 500] as const))
      const other = makeServer()
      servers.push(other)
      const hosts = [database, await other.open('grouping')]
      const works = (host: number) =>
        numbers(60).map((n) => (session: SqlSession) => {
          const [first, second] = [(n * 5 + host) % 6, (n * 7 + 3 - host) % 6]
          session.write('update item set n = n - 1 where id = $1', [first])
          session.write('update item set n = n + 1 where id = $1', [second])
          addRow(session, 1_000 + 100 * host + n, n)
        })
      // The caller runs again what lost a deadlock, as a store does.
      const persistent = async (host: number) => {
        let left = works(host)
        for (let tries = 0; left.length > 0 && tries < 20; tries += 1) {
          const ends = await all(left, hosts[host])
          for (const end of ends) expect(['done', '40P01']).toContain(end)
          left = left.filter((_, n) => ends[n] !== 'done')
        }
        expect(left).toEqual([])
      }
      await Promise.all([persistent(0), persistent(1)])
      const found = await items()
      expect(keys.reduce((sum, id) => sum + (found.get(id) ?? 0), 0)).toBe(3_000)
      expect(found.size).toBe(6 + 120)
    }, 60_000)

    test('a lock that another holds stops only those who need its row', async () => {
      await begin([1, 5], [2, 5])
      let letGo: () => void = () => undefined
      const until = new Promise<void>((resolve) => (letGo = resolve))
      let locked: () => void = () => undefined
      const holding = new Promise<void>((resolve) => (locked = resolve))
      const holder = database.transaction(async (session) => {
        await session.query('select 1 from item where id = 1 for update')
        locked()
        await until
      })
      await holding
      const waiting = all([(session) => take(session, 1, 1), (session) => take(session, 2, 1)])
      const free = all(numbers(5).map((n) => (session: SqlSession) => addRow(session, 200 + n, n)))
      // An embedded database has one session: there, everybody waits for the holder.
      if (name === 'PostgreSQL') expect(new Set(await free)).toEqual(new Set(['done']))
      letGo()
      await holder
      expect(await waiting).toEqual(['done', 'done'])
      expect(new Set(await free)).toEqual(new Set(['done']))
      expect((await items()).get(1)).toBe(4)
    }, 20_000)
  })
}

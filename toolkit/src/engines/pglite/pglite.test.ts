import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { systemEnv } from '../../base/env.ts'
import { eventually } from '../../testing/eventually.ts'
import { sqlServerSuite } from '../sql/database.suite.ts'
import { pglite } from './index.ts'

const root = mkdtempSync(join(tmpdir(), 'serval-pglite-test-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const newFolder = () => join(root, `data${(folders += 1)}`)

sqlServerSuite('PGlite in memory', () => pglite())
sqlServerSuite('PGlite in a folder', () => pglite({ folder: newFolder() }))

test('a queue of transactions lets timers in', async () => {
  const server = pglite()
  const database = await server.open('orders')
  await database.script('create table item (id integer primary key)')
  let going = true
  setTimeout(() => (going = false), 30)
  const deadline = performance.now() + 10_000
  let id = 0
  const lanes = Array.from({ length: 4 }, async () => {
    while (going && performance.now() < deadline)
      await database.transaction(async (session) => {
        session.write('insert into item values ($1)', [(id += 1)])
      })
  })
  await Promise.all(lanes)
  expect(going).toBe(false)
  await server.close()
}, 20_000)

test('a transaction inside a transaction is refused instead of waiting for ever', async () => {
  const env = systemEnv()
  const timers: (() => void)[] = []
  const server = pglite({
    env: {
      ...env,
      after: (_, run) => {
        timers.push(run)
        return () => undefined
      },
    },
  })
  const database = await server.open('orders')
  await database.script('create table item (id integer primary key)')
  const outer = database.transaction(async (session) => {
    await session.query('insert into item values (1)')
    const inner = database.transaction((other) => other.query('insert into item values (2)'))
    setImmediate(() => timers.splice(0).forEach((run) => run()))
    await inner
  })
  await expect(outer).rejects.toMatchObject({ sqlState: '55P03' })
  expect(await database.read((session) => session.query('select * from item'))).toEqual([])
  await server.close()
})

test('every table that was changed much is vacuumed and analyzed, not only the one that changes most', async () => {
  const env = systemEnv()
  let due: (() => void) | undefined
  const server = pglite({
    env: {
      ...env,
      after: (_, run) => {
        due = run
        return () => undefined
      },
    },
  })
  const database = await server.open('orders')
  await database.script(
    'create table busy (id integer primary key, n integer); create table grows (id integer primary key)',
  )
  for (let id = 0; id < 1200; id += 1)
    await database.transaction(async (session) => {
      session.write('insert into busy values ($1, 0)', [id])
      session.write('update busy set n = 1 where id = $1', [id])
      session.write('insert into grows values ($1)', [id])
    })
  const both = async (condition: string) => {
    const rows = await database.read((session) =>
      session.query(
        `select from pg_stat_user_tables where relname in ('busy', 'grows') and ${condition}`,
      ),
    )
    return rows.length === 2
  }
  // The counts of rows reach the statistics about a second after the writes.
  await eventually(() => both('n_mod_since_analyze >= 1200'), 'the counts of changed rows')
  expect(await both('last_analyze is null')).toBe(true)
  // One look, though one table changed more than the other.
  due!()
  await eventually(
    () => both('last_vacuum is not null and last_analyze is not null'),
    'the upkeep of both tables',
  )
  await server.close()
}, 30_000)

import { afterAll, expect, test } from 'vitest'
import { manualEnv } from '../../testing/manual-env.ts'
import { claimAll, hold, message, subscribe } from '../../testing/store/fixture.suite.ts'
import { pglite } from '../pglite/index.ts'
import { sqlStores } from './index.ts'
import { sqlSuiteRepositories } from './store.suite.ts'

const held = 2_000
const env = manualEnv()
const server = pglite({})
afterAll(() => server.close())

/** Rows of held messages that statements have read, by scans of any kind. */
const readOf = `select (seq_tup_read + idx_tup_fetch)::int as rows from pg_stat_user_tables where relname = 'serval_held'`

test('however many are held, a claim reads them a few times, and a move of a cursor reads its key’s', async () => {
  const store = await sqlStores(server).open('held', sqlSuiteRepositories, env)
  const database = await server.open('held')
  const id = await subscribe(store)
  const move = (from: number, to: number, key?: string) => ({ ...id, partition: 0, from, to, key })
  const claim = (limit: number) =>
    store.subscriptions.held.claim(id, {
      ...claimAll,
      types: { only: 'counter.changed.v1' },
      now: 1,
      until: 2,
      holder: 'h',
      limit,
    })
  const read = async () => {
    // What this counts, and what the next transaction sees.
    await database.transaction((session) => session.query('select pg_stat_force_next_flush()'))
    const [row] = await database.read((session) => session.query<{ rows: number }>(readOf))
    return row?.rows ?? 0
  }
  /** As often as makes PostgreSQL keep one plan, while nothing is held: it is not made for what comes. */
  const warm = async () => {
    for (let n = 0; n < 10; n++) {
      await claim(8)
      await store.commit(async (unit) => unit.frame.moveCursor(move(n, n + 1, 'warm')), true)
    }
  }
  await warm()
  await Promise.all(
    Array.from(
      { length: held },
      (_, n) =>
      store.subscriptions.held.put(move(n + 10, n + 11), message(n + 11, `key ${n}`), {
        dueAt: 0, failures: 0, tries: 0, error: undefined, holder: undefined,
      }), // prettier-ignore
    ),
  )
  const before = await read()
  expect(await claim(8)).toHaveLength(8)
  const claimed = await read()
  expect(claimed - before).toBeLessThan(4 * held)
  await store.commit(async (unit) => unit.frame.moveCursor(move(held + 10, held + 11, 'x')), true)
  expect((await read()) - claimed).toBeLessThan(100)
})

test('what a host of the release before has held is of its type, too', async () => {
  const store = await sqlStores(server).open('before', sqlSuiteRepositories, env)
  const database = await server.open('before')
  const { claim } = await hold(store, ['a', 'b'])
  await database.transaction(async (session) =>
    session.write(`update serval_held set type = null, time = null`),
  )
  const { type } = message(1, 'a')
  expect(await claim({ now: 1, holder: 'h', types: { except: [type] } })).toEqual([])
  expect(await claim({ now: 1, holder: 'h', types: { only: type } })).toEqual([1, 2])
})

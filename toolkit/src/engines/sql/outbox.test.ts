import { afterAll, describe, expect, test } from 'vitest'
import type { Store } from '../../store/store.ts'
import { eventually } from '../../testing/eventually.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import { startPostgres } from '../../testing/postgres-server.ts'
import { counters, entry, pages, relayAll, turn } from '../../testing/store/fixture.suite.ts'
import { pglite } from '../pglite/index.ts'
import { postgres } from '../postgres/index.ts'
import type { SqlDatabase, SqlServer } from './database.ts'
import { sqlStores } from './index.ts'
import { sqlSuiteRepositories } from './store.suite.ts'

/*
 * A step numbers its events itself, and leaves them to the relay behind what waits there of the same key. Either way a key's order is that of its commits, and a
 * partition has no gaps.
 */

const env = manualEnv()
const all = Array.from({ length: 16 }, (_, partition) => ({ partition, position: 0 }))

/** Writes the key's row and publishes `n` under it. */
const publish = (store: Store, key: string, n: number) =>
  store.commit(async (unit) => {
    pages(unit).touch(key)
    pages(unit).write(key, n)
    unit.outbox.emit(entry(env, key, { data: JSON.stringify({ n }) }))
  }, false)

const logged = async (store: Store) =>
  (await store.log.read(all, 1_000)).map(({ subject, data }) => [
    subject,
    (data as { n: number }).n,
  ])

/** What a host of an older release, or one that was killed, left behind. */
const leave = (database: SqlDatabase, key: string, n: number) =>
  database.transaction(async (session) => {
    const { partition, id, type } = entry(env, key)
    session.write(
      `insert into serval_outbox (partition, key, id, type, data, at, correlation_id)
       values ($1::smallint, $2, $3, $4, $5, now(), 'c')`,
      [partition, key, id, type, JSON.stringify({ n })],
    )
  })

const suite = (name: string, server: SqlServer) =>
  describe(`${name}: what steps publish`, () => {
    test('is in the log when the step has committed, and the relay tells which partitions grew', async () => {
      const store = await sqlStores(server).open('direct', sqlSuiteRepositories, env)
      await publish(store, 'a', 1)
      expect(await logged(store)).toEqual([['a', 1]])
      expect(await store.log.relay()).toEqual([entry(env, 'a').partition])
      expect(await store.log.relay()).toEqual([])
    })

    test('comes behind what waits in the outbox', async () => {
      const store = await sqlStores(server).open('behind', sqlSuiteRepositories, env)
      await leave(await server.open('behind'), 'a', 1)
      await publish(store, 'a', 2)
      await publish(store, 'a', 3)
      await relayAll(store)
      await publish(store, 'a', 4)
      expect(await logged(store)).toEqual([1, 2, 3, 4].map((n) => ['a', n]))
    })

    test('waits for nothing that waits of another key', async () => {
      const store = await sqlStores(server).open('apart', sqlSuiteRepositories, env)
      await leave(await server.open('apart'), 'a', 1)
      await publish(store, 'b', 2)
      expect(await logged(store)).toEqual([['b', 2]])
      await relayAll(store)
      const keys = (await logged(store)).map(([key]) => String(key))
      expect(new Set(keys)).toEqual(new Set(['a', 'b']))
    })
  })

const embedded = pglite()
afterAll(() => embedded.close())
suite('pglite', embedded)

const started = await startPostgres()
if ('missing' in started) {
  describe(`PostgreSQL: what steps publish [skipped: ${started.missing}]`, () => {
    test.skipIf(true)('all of it', () => undefined)
  })
} else {
  const { url, prefix } = started
  const [server, other] = [postgres({ url, prefix }), postgres({ url, prefix })]
  afterAll(async () => {
    await Promise.all([server.close(), other.close()])
    await started.stop()
  }, 20_000)
  suite('PostgreSQL', server)

  describe('PostgreSQL: steps that publish at the same time', () => {
    /** Publishes while another host numbers, which ends when the steps have waited for so many seconds. */
    const publishBehind = async (service: string, keys: readonly string[], seconds: number) => {
      const store = await sqlStores(server).open(service, sqlSuiteRepositories, env)
      const database = await other.open(service)
      let locked = false
      let release: () => void = () => undefined
      const released = new Promise<void>((resolve) => (release = resolve))
      const numbering = database.transaction(async (session) => {
        await session.query('select from serval_head for update')
        locked = true
        await released
      })
      await eventually(() => locked, 'the lock')
      const published = keys.map((key) => publish(store, key, 1))
      const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and now() - query_start >= '${seconds}s'`
      await eventually(
        async () => (await database.read((session) => session.query(waiting))).length > 0,
        'the steps that wait',
      )
      release()
      await Promise.all([numbering, ...published])
      return { store, database }
    }

    test('wait for who numbers, and leave nothing to the relay', async () => {
      const { store } = await publishBehind('busy', ['a'], 0)
      expect(await logged(store)).toEqual([['a', 1]])
    })

    test('wait together, and commit together, however long it takes', async () => {
      const { database } = await publishBehind('slow', ['a', 'b', 'c'], 1)
      const commits = await database.read((session) =>
        session.query('select distinct xmin::text from serval_log'),
      )
      expect(commits).toHaveLength(1)
    })

    test('publish each once, without gaps, from two hosts, also when the steps read', async () => {
      const stores = await Promise.all(
        [server, other].map((one) => sqlStores(one).open('many', sqlSuiteRepositories, env)),
      )
      const [first, second] = stores
      if (first === undefined || second === undefined) throw new Error('two stores')
      let over = false
      const relays = stores.map(async (store) => {
        while (!over) await Promise.all([store.log.relay(), turn()])
      })
      const reading = (store: Store, key: string) =>
        store.commit(async (unit) => {
          const n = await counters(unit).add(key, 1)
          unit.outbox.emit(entry(env, key, { data: JSON.stringify({ n }) }))
        }, false)
      for (let round = 0; round < 8; round += 1)
        await Promise.all(
          Array.from({ length: 40 }, (_, n) => {
            const store = n % 2 === 0 ? first : second
            return n % 3 === 0
              ? reading(store, `counter ${n % 4}`)
              : publish(store, `page ${round} ${n}`, n)
          }),
        )
      over = true
      await Promise.all(relays)
      await relayAll(first)
      const messages = await first.log.read(all, 1_000)
      expect(messages).toHaveLength(320)
      for (const { partition } of all)
        expect(
          messages.filter((one) => one.partition === partition).map(({ position }) => position),
        ).toEqual(messages.filter((one) => one.partition === partition).map((_, n) => n + 1))
      for (let n = 0; n < 4; n += 1) {
        const own = messages.filter(({ subject }) => subject === `counter ${n}`)
        expect(own.length).toBeGreaterThan(0)
        expect(own.map(({ data }) => (data as { n: number }).n)).toEqual(own.map((_, at) => at + 1))
      }
    }, 30_000)
  })
}

import { afterAll, describe, expect, test } from 'vitest'
import type { Message } from '../../contract/index.ts'
import type { Store } from '../../store/store.ts'
import { eventually } from '../../testing/eventually.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import { startPostgres } from '../../testing/postgres-server.ts'
import { claimAll, counters, entry, pages } from '../../testing/store/fixture.suite.ts'
import { pglite } from '../pglite/index.ts'
import { postgres } from '../postgres/index.ts'
import { SqlError, type SqlDatabase, type SqlServer } from './database.ts'
import { sqlStores } from './index.ts'
import { migrate } from './migrate.ts'
import { publish } from './publish.ts'
import { toolkitMigrations } from './schema.ts'
import { sqlSuiteRepositories } from './store.suite.ts'

/*
 * A step numbers its events itself: a key's order is that of its commits, and a partition has no gaps. What an earlier release left in its outbox has its
 * numbers before a step of this one publishes.
 */

const env = manualEnv()
const everywhere = claimAll.partitions.map((partition) => ({ partition, position: 0 }))

const open = (server: SqlServer, service: string) =>
  sqlStores(server).open(service, sqlSuiteRepositories, env)

const numbered = (key: string, n: number) => entry(env, key, { data: JSON.stringify({ n }) })

/** Writes the key's row and publishes `n` under it. */
const step = (store: Store, key: string, n: number) =>
  store.commit(async (unit) => {
    pages(unit).touch(key)
    pages(unit).write(key, n)
    unit.emit(numbered(key, n))
  }, false)

const numbersOf = (messages: readonly Message[], key: string) =>
  messages.filter(({ subject }) => subject === key).map(({ data }) => (data as { n: number }).n)

/** Every message, when each partition is numbered from 1 without gaps up to its head. */
const logged = async (store: Store): Promise<readonly Message[]> => {
  const messages = await store.log.read(everywhere, 1_000)
  for (const { partition, position } of await store.log.heads()) {
    const own = messages.filter((one) => one.partition === partition)
    expect(own.map((one) => one.position)).toEqual(
      Array.from({ length: position }, (_, n) => n + 1),
    )
  }
  return messages
}

/** A database as a host of an earlier release made it. */
const earlier = async (server: SqlServer, service: string): Promise<SqlDatabase> => {
  const database = await server.open(service)
  const known = toolkitMigrations.filter(({ id }) => id < 'serval-003')
  await migrate(database, service, known)
  return database
}

/** What such a host left to its relay. */
const leave = (database: SqlDatabase, key: string, n: number, commits?: Promise<void>) =>
  database.transaction(async (session) => {
    const { partition, id, type, data } = numbered(key, n)
    await session.query(
      `insert into serval_outbox (partition, key, id, type, data, at, correlation_id)
       values ($1::smallint, $2, $3, $4, $5, now(), 'c') returning 1`,
      [partition, key, id, type, data],
    )
    await commits
  })

const suite = (name: string, server: SqlServer) =>
  describe(`${name}: what steps publish`, () => {
    test('is in the log when the step has committed', async () => {
      const store = await open(server, 'direct')
      await step(store, 'a', 1)
      expect(numbersOf(await logged(store), 'a')).toEqual([1])
    })

    test('comes after what an earlier release left in its outbox, each event once and in order', async () => {
      const database = await earlier(server, 'left')
      await database.transaction(async (session) => publish(session, [numbered('a', 1)]))
      for (const [key, n] of [
        ['a', 2],
        ['b', 3],
        ['a', 4],
        ['c', 5],
        ['a', 6],
        ['b', 7],
      ] as const)
        // prettier-ignore
        await leave(database, key, n)
      const [store] = await Promise.all([open(server, 'left'), open(server, 'left')])
      await step(store, 'a', 8)
      await open(server, 'left')
      const left = database.read((session) => session.query('select from serval_outbox'))
      expect(await left).toEqual([])
      const messages = await logged(store)
      expect(['a', 'b', 'c'].map((key) => numbersOf(messages, key))).toEqual([
        [1, 2, 4, 6, 8],
        [3, 7],
        [5],
      ])
    })

    test('a migration that lost a deadlock runs again, and is told when it always does', async () => {
      const service = 'deadlock'
      const database = await earlier(server, service)
      let losses = 0
      const losing: SqlDatabase = {
        ...database,
        script: async (text) => {
          if (text.startsWith('lock') && (losses -= 1) >= 0)
            throw new SqlError('deadlock detected', { sqlState: '40P01', outcome: 'rolled-back' })
          await database.script(text)
        },
      }
      losses = Infinity
      await expect(migrate(losing, service, toolkitMigrations)).rejects.toMatchObject({
        code: 'cannot-start',
        message: expect.stringContaining('deadlock detected'),
      })
      losses = 2
      await migrate(losing, service, toolkitMigrations)
      const ran = await database.read((session) => session.query('select id from serval_migration'))
      expect(ran).toHaveLength(toolkitMigrations.length)
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

  /** Resolves when somebody in the database has waited for a lock for so long. */
  const somebodyWaits = (database: SqlDatabase, seconds: number) =>
    eventually(
      async () =>
        (
          await database.read((session) =>
            session.query(
              `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and now() - query_start >= '${seconds}s'`,
            ),
          )
        ).length > 0,
      'who waits for a lock',
    )

  test('PostgreSQL: a new host waits for what one of an earlier release is just leaving', async () => {
    const database = await earlier(other, 'leaving')
    const commit = Promise.withResolvers<void>()
    const leaving = leave(database, 'a', 1, commit.promise)
    const opening = open(server, 'leaving')
    await somebodyWaits(database, 0)
    commit.resolve()
    const [store] = await Promise.all([opening, leaving])
    expect(numbersOf(await logged(store), 'a')).toEqual([1])
  })

  describe('PostgreSQL: steps that publish at the same time', () => {
    /** Publishes while another host numbers, which ends when the steps have waited for so many seconds. */
    const publishBehind = async (service: string, keys: readonly string[], seconds: number) => {
      const store = await open(server, service)
      const database = await other.open(service)
      const [locked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const numbering = database.transaction(async (session) => {
        await session.query('select from serval_head for update')
        locked.resolve()
        await released.promise
      })
      await locked.promise
      const published = keys.map((key) => step(store, key, 1))
      await somebodyWaits(database, seconds)
      released.resolve()
      await Promise.all([numbering, ...published])
      return { store, database }
    }

    test('wait for who numbers', async () => {
      const { store } = await publishBehind('busy', ['a'], 0)
      expect(numbersOf(await logged(store), 'a')).toEqual([1])
    })

    test('wait together, and commit together, however long it takes', async () => {
      const { database } = await publishBehind('slow', ['a', 'b', 'c'], 1)
      const commits = await database.read((session) =>
        session.query('select distinct xmin::text from serval_log'),
      )
      expect(commits).toHaveLength(1)
    })

    test('publish each once, without gaps, from two hosts, also when the steps read', async () => {
      const stores = await Promise.all([server, other].map((one) => open(one, 'many')))
      const reading = (store: Store, key: string) =>
        store.commit(async (unit) => {
          const n = await counters(unit).add(key, 1)
          unit.emit(numbered(key, n))
        }, false)
      for (let round = 0; round < 8; round += 1)
        await Promise.all(
          Array.from({ length: 20 }, (_, n) =>
            stores.map((store, host) =>
              n % 3 === 0
                ? reading(store, `counter ${n % 4}`)
                : step(store, `page ${round} ${n} ${host}`, n),
            ),
          ).flat(),
        )
      const [first] = stores
      if (first === undefined) throw new Error('no store')
      const messages = await logged(first)
      expect(messages).toHaveLength(320)
      for (let n = 0; n < 4; n += 1) {
        const own = numbersOf(messages, `counter ${n}`)
        expect(own.length).toBeGreaterThan(0)
        expect(own).toEqual(own.map((_, at) => at + 1))
      }
    }, 30_000)
  })
}

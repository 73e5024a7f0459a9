import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ServalError } from '../../base/failure.ts'
import { eventually } from '../../testing/eventually.ts'
import {
  startOwnPostgres,
  startPostgres,
  type PostgresServer,
} from '../../testing/postgres-server.ts'
import { sqlServerSuite } from '../sql/database.suite.ts'
import { GuardFailed, SqlError, type SqlDatabase, type SqlServer } from '../sql/database.ts'
import { openClient } from './client.ts'
import { postgres, type PostgresOptions } from './index.ts'

const rejection = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => new Error(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )

const isolationAndStart = ({ url, prefix }: PostgresServer) => {
  let servers = 0
  const opened: SqlServer[] = []
  const makeServer = (options: Partial<PostgresOptions> = {}) => {
    const server = postgres({ url, prefix: `${prefix}${(servers += 1)}_`, ...options })
    opened.push(server)
    return server
  }
  afterAll(() => Promise.all(opened.map((server) => server.close())))

  sqlServerSuite('PostgreSQL', () => makeServer())

  describe('PostgreSQL: databases and roles', () => {
    const connect = async (user: string, password: string, database: string) => {
      const client = openClient({
        url, user, password, database, settings: {}, connectTimeoutMs: 5000, statementTimeoutMs: 5000,
      }) // prettier-ignore
      try {
        return await client.run('select 1 as one', [])
      } finally {
        await client.end()
      }
    }

    test('a role connects to its own database only', async () => {
      const own = `${prefix}own_`
      const server = makeServer({ prefix: own, secret: 'a secret' })
      const database = await server.open('a')
      await server.open('b')
      const { rolePassword } = await import('./provision.ts')
      const password = rolePassword('a secret', `${own}a`)!
      expect(await connect(`${own}a`, password, `${own}a`)).toHaveLength(1)
      expect(await rejection(connect(`${own}a`, password, `${own}b`))).toMatchObject({
        sqlState: '42501',
      })
      expect(await rejection(connect(`${own}a`, 'another', `${own}a`))).toMatchObject({
        sqlState: '28P01',
      })
      const [role] = await database.read((session) =>
        session.query(
          'select rolsuper or rolcreatedb or rolcreaterole as strong from pg_roles where rolname = current_user',
        ),
      )
      expect(role).toEqual({ strong: false })
    })

    test('a session that pauses in its middle lets go of its locks, and finds the database away', async () => {
      const patient = await makeServer().open('a')
      const [shown] = await patient.read((session) =>
        session.query('show idle_in_transaction_session_timeout'),
      )
      expect(shown).toEqual({ idle_in_transaction_session_timeout: '5s' })
      // What it compiles for one statement took 6 s.
      expect(await patient.read((session) => session.query('show jit'))).toEqual([{ jit: 'off' }])
      const hasty = await makeServer({ statementTimeoutMs: 200 }).open('a')
      const paused = hasty.transaction(async (session) => {
        const [own] = await session.query<{ pid: number }>('select pg_backend_pid() as pid')
        await eventually(async () => {
          const alive = 'select 1 from pg_stat_activity where pid = $1'
          const found = await patient.read((other) => other.query(alive, [own?.pid ?? 0]))
          return found.length === 0
        }, 'the end of the session')
        await session.query('select 1')
      })
      expect(await rejection(paused)).toMatchObject({ outcome: 'rolled-back', unreachable: true })
    })

    test('a migration may take as long as it takes', async () => {
      const hasty = await makeServer({ statementTimeoutMs: 100 }).open('a')
      // Longer than a statement may, and than the connection would wait for the server to stop it.
      await hasty.script('select pg_sleep(5.5)')
    }, 15_000)

    test('hosts that start at the same moment all start', async () => {
      const shared = { prefix: `${prefix}same_` }
      const databases = await Promise.all(
        Array.from({ length: 5 }, () => makeServer(shared)).flatMap((server) =>
          ['x', 'y'].map((service) => server.open(service)),
        ),
      )
      await databases[0]!.script('create table item (id integer)')
      for (const database of databases.filter((_, index) => index % 2 === 0))
        expect(await database.read((session) => session.query('select * from item'))).toEqual([])
    })

    test('a new secret is taken over', async () => {
      const shared = { prefix: `${prefix}secret_` }
      await makeServer({ ...shared, secret: 'old' }).open('x')
      const database = await makeServer({ ...shared, secret: 'new' }).open('x')
      expect(await database.read((session) => session.query('select 1 as a'))).toEqual([{ a: 1 }])
    })

    test('a database that an administrator made is used as it is', async () => {
      const server = makeServer({ urls: { special: url } })
      const database = await server.open('special')
      const rows = await database.read((session) => session.query('select current_user as name'))
      expect(rows).toEqual([{ name: decodeURIComponent(new URL(url).username) }])
    })

    test('wrong options are refused, and no message holds the password', async () => {
      for (const options of [
        { url: 'mysql://x:hunter2@y/z' },
        { url: 'hunter2' },
        { poolSize: 0 },
        { prefix: 'A-' },
      ]) {
        const error = await rejection((async () => postgres({ url, ...options }))())
        expect(error).toMatchObject({ code: 'misconfigured' })
        expect(String(error)).not.toContain('hunter2')
      }
      const wrong = new URL(url)
      wrong.password = 'hunter2'
      const error = await rejection(makeServer({ url: wrong.href }).open('x'))
      expect((error as ServalError).code).toBe('cannot-start')
      expect(JSON.stringify(error) + String(error)).not.toContain('hunter2')
    })
  })

  describe('PostgreSQL: connections', () => {
    test('there are no more of them than the pool may have', async () => {
      const database = await makeServer({ poolSize: 2 }).open('pool')
      const pids = await Promise.all(
        Array.from({ length: 20 }, () =>
          database.read((session) => session.query('select pg_backend_pid() as pid')),
        ),
      )
      expect(new Set(pids.map(([row]) => row!['pid'])).size).toBeLessThanOrEqual(2)
    })

    test('a deadlock makes one transaction run again', async () => {
      const database = await makeServer().open('deadlock')
      await database.script(
        'create table item (id integer primary key, n integer); insert into item values (1, 0), (2, 0)',
      )
      const update = 'update item set n = n + 1 where id = $1'
      let waiting = 2
      let meet = () => undefined as void
      const met = new Promise<void>((resolve) => (meet = resolve))
      const both = await Promise.all(
        [[1, 2], [2, 1]].map(([first, second]) =>
          rejection(
            database.transaction(async (session) => {
              await session.query(update, [first!])
              if ((waiting -= 1) === 0) meet()
              await met
              await session.query(update, [second!])
            }),
          ),
        ),
      ) // prettier-ignore
      const lost = both.filter((error) => error instanceof SqlError)
      expect(lost).toHaveLength(1)
      expect(lost[0]).toMatchObject({ sqlState: '40P01', again: true, outcome: 'rolled-back' })
    })

    test('a statement that takes too long is stopped, and its connection stays good', async () => {
      const database = await makeServer({ poolSize: 1, statementTimeoutMs: 200 }).open('slow')
      const slow = database.read((session) => session.query('select pg_sleep(5)'))
      expect(await rejection(slow)).toMatchObject({ sqlState: '57014' })
      expect(await database.read((session) => session.query('select 1 as a'))).toEqual([{ a: 1 }])
    })

    test('a connection that is cut in a transaction rolls back, and none of its rest is run', async () => {
      const database = await makeServer({ poolSize: 1 }).open('cut')
      await database.script('create table item (id integer primary key)')
      const error = await rejection(
        database.transaction(async (session) => {
          session.write('insert into item values (1)')
          await session
            .query('select pg_terminate_backend(pg_backend_pid())')
            .catch(() => undefined)
          session.write('insert into item values (2)')
        }),
      )
      expect(error).toMatchObject({ outcome: 'rolled-back', unreachable: true })
      expect(await database.read((session) => session.query('select * from item'))).toEqual([])
    })
  })
}

const cutOff = (server: PostgresServer) => {
  describe('PostgreSQL: a server that comes and goes', () => {
    const control = server.control!
    let engine: SqlServer
    let database: SqlDatabase
    beforeAll(async () => {
      engine = postgres({ url: server.url, prefix: 'goes_', connectTimeoutMs: 2000 })
      database = await engine.open('orders')
      await database.script('create table item (id integer primary key)')
    }, 30_000)
    afterAll(async () => {
      await engine.close()
      await server.stop()
    }, 30_000)
    const insert = (id: number) =>
      database.transaction(async (session) => session.write('insert into item values ($1)', [id]))
    const ids = async () =>
      (await database.read((session) => session.query('select id from item order by id'))).map(
        (row) => row['id'],
      )

    for (const how of ['kill', 'shutdown'] as const)
      test(`after a ${how} it is unreachable, and used again when it is back`, async () => {
        const first = how === 'kill' ? 10 : 20
        await Promise.all(Array.from({ length: 8 }, (_, index) => insert(first + index)))
        const before = await ids()
        await control[how]()
        const errors = await Promise.all([
          ...Array.from({ length: 12 }, () => rejection(insert(99))),
          rejection(ids()),
        ])
        for (const error of errors) {
          expect(error).toBeInstanceOf(SqlError)
          expect((error as SqlError).unreachable).toBe(true)
        }
        expect(await rejection(insert(99))).toMatchObject({ sqlState: '', outcome: 'rolled-back' })
        await control.start()
        await insert(first + 8)
        expect(await ids()).toEqual([...before, first + 8])
        await Promise.all(Array.from({ length: 20 }, () => ids()))
      }, 30_000)

    test('a crash under load loses no acknowledged row, and unknown is all that it leaves open', async () => {
      await database.script('delete from item')
      const acknowledged: number[] = []
      const unknown: number[] = []
      const refused: number[] = []
      let next = 0
      let enough = () => undefined as void
      const busy = new Promise<void>((resolve) => (enough = resolve))
      let going = true
      const lane = async () => {
        while (going) {
          const id = (next += 1)
          try {
            await insert(id)
            if (acknowledged.push(id) === 200) enough()
          } catch (error) {
            if (error instanceof GuardFailed || !(error instanceof SqlError)) throw error
            ;(error.outcome === 'unknown' ? unknown : refused).push(id)
            going = false
          }
        }
      }
      const lanes = Promise.all(Array.from({ length: 12 }, lane))
      await busy
      await control.kill()
      await lanes
      await control.start()
      const kept = new Set(await ids())
      expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
      expect(refused.filter((id) => kept.has(id))).toEqual([])
      expect(kept.size).toBeLessThanOrEqual(acknowledged.length + unknown.length)
    }, 30_000)

    test('a host that starts without its server says so', async () => {
      await control.shutdown()
      const early = postgres({ url: server.url, prefix: 'goes_', connectTimeoutMs: 1000 })
      const error = (await rejection(early.open('orders'))) as ServalError
      expect(error.code).toBe('cannot-start')
      expect(error.message).toContain(new URL(server.url).host)
      await early.close()
      await control.start()
    }, 30_000)
  })
}

const started = await startPostgres()
const own = await startOwnPostgres()
if ('missing' in started || 'missing' in own) {
  const reason = 'missing' in started ? started.missing : 'missing' in own ? own.missing : ''
  process.stderr.write(`PostgreSQL is not tested: ${reason}\n`)
  describe.skipIf(true)(`PostgreSQL [skipped: ${reason}]`, () => {
    test('skipped', () => undefined)
  })
} else {
  afterAll(() => started.stop(), 20_000)
  isolationAndStart(started)
  cutOff(own)
}

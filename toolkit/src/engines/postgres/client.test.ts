import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../testing/eventually.ts'
import { startOwnPostgres, type PostgresServer } from '../../testing/postgres-server.ts'
import type { SqlError } from '../sql/database.ts'
import { openClient, type Client, type Sent } from './client.ts'

const sent = (text: string, ...values: Sent['values']): Sent => ({ text, values })
const [begin, commit] = [sent('begin'), sent('commit')]

const suite = (server: PostgresServer) => {
  const clients: Client[] = []
  const open = (change: (url: URL) => void = () => undefined, settings = {}): Client => {
    const url = new URL(server.url)
    change(url)
    const client = openClient({
      url: url.href, settings, connectTimeoutMs: 5000, statementTimeoutMs: 30_000,
    }) // prettier-ignore
    clients.push(client)
    return client
  }
  const only = async (client: Client, text: string) => (await client.run(text, []))[0]?.['value']
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end()))
    await server.stop()
  }, 20_000)

  describe('PostgreSQL: a series of statements', () => {
    const insert = (id: number) => sent('insert into item values ($1)', id)
    const ids = async (client: Client) =>
      (await client.run('select id from item order by id', [])).map(({ id }) => id)
    beforeAll(async () => {
      await open().simple('create table item (id integer primary key)')
    }, 20_000)

    test('stops at its first failure, which leaves its transaction to be rolled back', async () => {
      const client = open()
      for (const id of [1, 2]) {
        // The second time all of them are known, and go out at once.
        const series = [begin, insert(id), insert(id), insert(id + 10), commit]
        const { done, error, unanswered } = await client.series(series)
        expect(done.map(({ command }) => command)).toEqual(['BEGIN', 'INSERT'])
        expect(error).toMatchObject({ sqlState: '23505', constraint: 'item_pkey' })
        expect(unanswered).toBe(false)
        await client.simple('rollback')
      }
      expect(await ids(client)).toEqual([])
    })

    test('keep their order, whether or not they were awaited or known to the server', async () => {
      const client = open()
      const texts = Array.from({ length: 30 }, (_, n) => `select ${n % 7} + $1::integer as value`)
      const [, ...answered] = await Promise.all([
        client.simple('create temp table seen (n integer)'),
        ...texts.map((text, n) =>
          client.series([
            sent(`insert into seen select count(*) + ${n % 5} * $1 from seen`, 0),
            sent(text, n),
          ]),
        ),
      ])
      expect(answered.map(({ done }) => done[1]?.rows)).toEqual(
        texts.map((_, n) => [{ value: (n % 7) + n }]),
      )
      const seen = await client.run('select n from seen', [])
      expect(seen.map(({ n }) => n)).toEqual(texts.map((_, n) => n))
    })

    test('may have been carried out if its connection was lost once all of it was sent', async () => {
      const cut = (yes: boolean) =>
        sent('select pg_terminate_backend(pg_backend_pid()) where $1::boolean', yes)
      const [fresh, used] = [open(), open()]
      await used.series([begin, cut(false), commit])
      for (const [client, unanswered] of [[fresh, false], [used, true]] as const) {
        const outcome = await client.series([begin, cut(true), commit])
        expect(outcome).toMatchObject({ unanswered, error: { sqlState: '57P01' } })
        expect(client.lost).toBe(true)
        const after = await client.series([insert(5)])
        expect(after).toMatchObject({ unanswered: false, error: { unreachable: true } })
      }
    }) // prettier-ignore

    test('meets what a migration changed once: in a transaction it is to be run again', async () => {
      const [client, other] = [open(), open()]
      await other.simple('create table wide (a integer)')
      const both = [sent('select * from wide'), sent('select w.* from wide w')]
      for (const statement of both) await client.series([statement])
      await other.simple('alter table wide add column b integer')
      const failed = await client.series([begin, ...both, commit])
      expect(failed.error).toMatchObject({ sqlState: '40001', again: true })
      await client.simple('rollback')
      expect((await client.series([begin, ...both, commit])).error).toBeUndefined()
      await other.simple('alter table wide drop column b')
      expect((await client.series(both.slice(1))).error).toBeUndefined()
      await client.simple('deallocate all')
      expect((await client.series(both.slice(0, 1))).error).toBeUndefined()
    })

    test('keeps no more texts prepared than the limit', async () => {
      const client = open()
      for (let n = 0; n < 600; n += 1) await client.series([sent(`select ${n}`)])
      expect(await only(client, 'select count(*) as value from pg_prepared_statements')).toBe(500)
    })

    test('is answered whole, however much it is', async () => {
      const text = `select repeat('x', 1000) || n as value from generate_series(1, 5000) n`
      const rows = await open().run(text, [])
      expect(rows).toHaveLength(5000)
      expect(rows.at(-1)).toEqual({ value: `${'x'.repeat(1000)}5000` })
    })

    test('that is under way ends before its connection does', async () => {
      const client = open()
      const slow = client.run('select pg_sleep(0.2)::text as value', [])
      await client.end()
      expect(await slow).toEqual([{ value: '' }])
      expect(await client.series([insert(7)])).toMatchObject({ error: { unreachable: true } })
    })
  })

  describe('PostgreSQL: ways to the server', () => {
    test('a URL names settings of the session, and a folder with its socket', async () => {
      const folder = String(await only(open(), `select current_setting('unix_socket_directories') as value`)) // prettier-ignore
      const client = open(
        ({ searchParams }) => {
          searchParams.set('host', folder)
          searchParams.set('application_name', 'a name \\ with more')
        },
        { application_name: 'ours', default_transaction_read_only: true },
      )
      expect(await only(client, 'select inet_client_addr() as value')).toBe(null)
      expect(await only(client, `select current_setting('application_name') as value`)).toBe(
        'a name \\ with more',
      )
      const writing = await client.series([sent('create table refused ()')])
      expect(writing.error).toMatchObject({ sqlState: '25006' })
    })

    test('TLS, as sslmode says', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'serval-tls-'))
      const [key, certificate] = [join(folder, 'key'), join(folder, 'certificate')]
      const request = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x -addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${certificate}`
      await promisify(execFile)('openssl', request.split(' '))
      const admin = open()
      for (const [name, path] of [['server.key', key], ['server.crt', certificate]] as const) {
        const text = await readFile(path, 'utf8')
        // The server writes it itself, so that it is its own.
        await admin.simple(
          `copy (select unnest(string_to_array('${text.trim()}', e'\n'))) to program 'umask 077; cat > ${name}'`,
        )
      } // prettier-ignore
      const encrypted = (parameters: Readonly<Record<string, string>>) =>
        only(
          open(({ searchParams }) => {
            for (const [name, value] of Object.entries(parameters)) searchParams.set(name, value)
          }),
          'select ssl as value from pg_stat_ssl where pid = pg_backend_pid()',
        ).catch((error: SqlError) => error.sqlState)
      expect(await encrypted({ sslmode: 'require' })).toBe('')
      expect(await encrypted({ sslmode: 'prefer' })).toBe(false)
      await admin.simple('alter system set ssl = on')
      await admin.simple('select pg_reload_conf()')
      await eventually(async () => (await encrypted({ sslmode: 'require' })) === true, 'TLS')
      expect(await encrypted({ sslmode: 'prefer' })).toBe(true)
      expect(await encrypted({ sslmode: 'disable' })).toBe(false)
      expect(await encrypted({})).toBe(false)
      expect(await encrypted({ sslmode: 'verify-full' })).toBe('')
      expect(await encrypted({ sslmode: 'verify-full', sslrootcert: certificate })).toBe(true)
      await rm(folder, { recursive: true })
    }, 30_000)
  })
}

const started = await startOwnPostgres()
if ('missing' in started) {
  describe.skipIf(true)(`PostgreSQL: a connection [skipped: ${started.missing}]`, () => {
    test('skipped', () => undefined)
  })
} else suite(started)

import postgres from 'postgres'
import { startOwnPostgres } from 'serval/testing'
import { coldSku } from '../driver/requests.ts'
import { parentOf } from './processes.ts'

export interface Database {
  /** A superuser's URL. */
  readonly url: string
  /** The server's first process, parent of all others. */
  readonly pid: number
  readonly version: string
  /** What was set, and what bears on durability, as the server tells it. */
  readonly settings: Readonly<Record<string, string>>
  /** Copies the row of `sku` of a table of products so many times, under the names that the driver asks for. */
  addColdProducts(table: ProductTable, sku: string, count: number): Promise<void>
  /** Writes out what is dirty, so that no round pays for the one before. */
  checkpoint(): Promise<void>
  stop(): Promise<void>
}

export interface ProductTable {
  readonly database: string
  readonly name: string
}

/** Memory and checkpoints as a small server would have them; everything else, fsync above all, as PostgreSQL comes. */
const tuned = {
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  min_wal_size: '512MB',
  max_connections: '200',
}
const shown = [
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  ...Object.keys(tuned),
]

/** A real server on a free port; each contender has one of its own, all alike. */
export const startDatabase = async (
  extra: Readonly<Record<string, string>> = {},
): Promise<Database> => {
  const server = await startOwnPostgres()
  if ('missing' in server) throw new Error(`the bench needs PostgreSQL: ${server.missing}`)
  const { url, control } = server
  const connect = () => postgres(url, { max: 1, onnotice: () => undefined })
  const first = connect()
  for (const [name, value] of Object.entries({ ...tuned, ...extra }))
    await first.unsafe(`alter system set ${name} = '${value}'`)
  await first.end()
  await control?.shutdown()
  await control?.start()

  const sql = connect()
  const settings: Record<string, string> = {}
  for (const name of shown) settings[name] = String((await sql.unsafe(`show ${name}`))[0]?.[name])
  if (settings['fsync'] !== 'on' || settings['synchronous_commit'] !== 'on')
    throw new Error('the server does not fsync: its figures would tell nothing')
  const [about] = await sql<{ pid: number; version: string }[]>`
    select pg_backend_pid() as pid, current_setting('server_version') as version`
  return {
    url,
    pid: parentOf(about?.pid ?? 0),
    version: about?.version ?? '',
    settings,
    addColdProducts: async ({ database, name }, sku, count) => {
      const at = new URL(url)
      at.pathname = `/${database}`
      const own = postgres(at.href, { max: 1, onnotice: () => undefined })
      // The shop indexes every run of letters of its search text, which would take minutes; nobody searches here.
      const named = `jsonb_build_object('sku', '${coldSku('')}' || n, 'search', '')`
      await own.unsafe(
        `insert into ${name} select (jsonb_populate_record(p, ${named})).*
         from ${name} p, generate_series(0, ${count - 1}) n where p.sku = '${sku}'`,
      )
      await own.unsafe(`vacuum analyze ${name}`)
      await own.end()
    },
    checkpoint: async () => void (await sql.unsafe('checkpoint')),
    stop: async () => {
      await sql.end()
      await server.stop()
    },
  }
}

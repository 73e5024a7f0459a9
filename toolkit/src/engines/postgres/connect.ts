import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { Client, DatabaseError, type ClientConfig } from 'pg'
import { SqlError } from '../sql/database.ts'

export interface ClientOptions {
  readonly url: string
  readonly database?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  /** Sent when the connection opens: session settings of PostgreSQL. */
  readonly settings: Readonly<Record<string, string | number | boolean>>
}

/** A connection that is open and idle. */
export interface Connection {
  readonly stream: Duplex
  /** Says goodbye. */
  end(): void
}

/** What happens to it after it was opened. */
export interface ConnectionEvents {
  receive(bytes: Buffer): void
  lost(error: Error): void
}

/** What went wrong with a connection, in the port's words. */
export const sqlError = (error: unknown): SqlError => {
  if (error instanceof SqlError) return error
  return new SqlError(error instanceof Error ? error.message : String(error), {
    sqlState: error instanceof DatabaseError ? (error.code ?? '') : '',
    outcome: 'rolled-back',
    cause: error,
  })
}

const file = (path: string | null) => (path === null ? undefined : readFileSync(path, 'utf8'))

/** As libpq reads these parameters, but `verify-ca` also checks the server's name. */
const tlsOf = (parameters: URLSearchParams): ClientConfig['ssl'] => {
  const mode = parameters.get('sslmode') ?? parameters.get('ssl') ?? 'disable'
  if (mode === 'disable' || mode === 'false' || mode === '0') return false
  const root = parameters.get('sslrootcert')
  const authority = root === 'system' ? null : root
  const strict = !['require', 'prefer', 'allow', 'no-verify'].includes(mode) || root !== null
  const [ca, cert, key] = [authority, parameters.get('sslcert'), parameters.get('sslkey')].map(file)
  return {
    rejectUnauthorized: strict,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

const own = ['host', 'port', 'ssl', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'sslnegotiation']

/** What a URL says beside the address are session settings, which win over ours. */
const settingsOf = (
  parameters: URLSearchParams,
  settings: ClientOptions['settings'],
): string | undefined => {
  const given = [...parameters].filter(([name]) => !own.includes(name) && name !== 'options')
  return [
    ...Object.entries({ ...settings, ...Object.fromEntries(given) }).map(
      ([name, value]) => `-c ${name}=${String(value).replace(/[\\\s]/g, '\\$&')}`,
    ),
    ...parameters.getAll('options'),
  ].join(' ')
}

const configOf = ({ url, database, user, password, settings }: ClientOptions): ClientConfig => {
  const at = new URL(url)
  const parameters = at.searchParams
  const text = (value: string) => (value === '' ? undefined : decodeURIComponent(value))
  const port = parameters.get('port') ?? text(at.port)
  return {
    // A folder stands for the socket in it.
    host: parameters.get('host') ?? text(at.hostname)?.replace(/^\[(.+)\]$/, '$1'),
    port: port === undefined ? undefined : Number(port),
    database: database ?? text(at.pathname.slice(1)),
    user: user ?? text(at.username),
    password: password ?? text(at.password),
    ssl: tlsOf(parameters),
    sslnegotiation: parameters.get('sslnegotiation') === 'direct' ? 'direct' : undefined,
    options: settingsOf(parameters, settings),
    keepAlive: true,
    keepAliveInitialDelayMillis: 60_000,
  }
}

const open = async (config: ClientConfig, timeoutMs: number): Promise<Client> => {
  const client = new Client(config)
  const { connection } = client
  const timer = setTimeout(
    () => connection.stream.destroy(new Error(`no connection within ${timeoutMs} ms`)),
    timeoutMs,
  )
  // What it says after its first error was said by that.
  client.on('error', () => undefined)
  try {
    return await client.connect()
  } catch (error) {
    connection.stream.destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Opens a connection by the driver `pg`, and takes its socket: from then on the messages are ours. */
export const connect = async (
  options: ClientOptions,
  events: ConnectionEvents,
): Promise<Connection> => {
  const config = configOf(options)
  const preferred = new URL(options.url).searchParams.get('sslmode') === 'prefer'
  const client = await open(config, options.connectTimeoutMs).catch((error: unknown) => {
    if (!preferred || error instanceof DatabaseError) throw error
    return open({ ...config, ssl: false }, options.connectTimeoutMs)
  })
  const { stream } = client.connection
  stream.removeAllListeners('data')
  stream.on('data', events.receive)
  client.on('error', events.lost)
  client.on('end', () => events.lost(new Error('the connection was closed')))
  return { stream, end: () => void client.end() }
}

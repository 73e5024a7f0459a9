import { connect as connectSocket, type Socket } from 'node:net'
import driver from 'postgres'
import { SqlError, type SqlRow, type SqlValue } from '../sql/database.ts'
import { sqlTypes } from '../sql/values.ts'
import { coalesced } from './coalesce.ts'

/**
 * One connection, from its first statement to its loss. The driver would connect again by itself and then
 * run what it still had queued, outside of the transaction that it belonged to; so a client gets one
 * socket, and after its loss the pool makes another client. What the driver sends is pipelined: statements
 * handed over in one turn share a packet.
 */
export interface Client {
  readonly lost: boolean
  /** False while the server never answered: then nothing can have been committed. */
  readonly connected: boolean
  /** Runs one prepared statement. */
  run(text: string, values: readonly SqlValue[]): Promise<Rows>
  /** Runs a text without parameters that may hold several statements. */
  simple(text: string, options?: { unlimited?: boolean }): Promise<Rows>
  end(): Promise<void>
}

export type Rows = readonly SqlRow[] & {
  readonly command: string
  /** Of a prepared statement: its parameters' types, by OID. */
  readonly statement?: { readonly types: readonly number[] } | null
}

/**
 * The rows as a plain array. The driver's carries properties of its own, and begins with holes when the statement before it on its connection
 * failed after its first rows.
 */
export const plainRows = (rows: Rows): readonly SqlRow[] =>
  rows.length > 0 && !(0 in rows) ? rows.filter(() => true) : rows.slice()

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

const types = Object.fromEntries(
  sqlTypes.map(({ oids, parse, serialize }) => [
    `oid${oids[0]}`,
    { to: oids[0]!, from: [...oids], parse, serialize },
  ]),
)

interface Target {
  readonly host: readonly string[]
  readonly port: readonly number[]
  readonly path?: string | false
}

const openSocket = ({ host, port, path }: Target, timeoutMs: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = path
      ? connectSocket(path)
      : connectSocket({ host: host[0]!, port: port[0]!, noDelay: true })
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)),
      timeoutMs,
    )
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners()
      // TLS takes the server's name from here.
      resolve(Object.assign(coalesced(socket), { host: host[0], port: port[0] }))
    })
  })

export const openClient = (options: ClientOptions): Client => {
  const { url, database, user, password, connectTimeoutMs, statementTimeoutMs } = options
  let socket: Socket | undefined
  let lost = false
  let connected = false
  let unanswered = 0
  let watchdog: ReturnType<typeof setTimeout> | undefined

  const lose = () => {
    lost = true
    clearTimeout(watchdog)
    // Rejects whatever the driver has queued; it must not run on another connection.
    void sql.end({ timeout: 0 })
  }

  const sql = driver(url, {
    ...(database === undefined ? {} : { database }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    max: 1,
    types,
    // All types that we parse are known beforehand, which saves a query for each connection.
    fetch_types: false,
    connect_timeout: connectTimeoutMs / 1000,
    max_lifetime: null,
    connection: { ...options.settings },
    onnotice: () => undefined,
    onclose: lose,
    // Not in the driver's types.
    ...{
      socket: async (target: Target) => {
        if (socket || lost) throw new Error('the connection was lost')
        try {
          socket = await openSocket(target, connectTimeoutMs)
          return socket
        } catch (error) {
          lose()
          throw error
        }
      },
    },
  })

  const watch = <T>(query: Promise<T>, limitMs: number): Promise<T> => {
    unanswered += 1
    // The server stops a statement at its own limit; this is for a server or network that fell silent.
    if (limitMs > 0) watchdog ??= setTimeout(() => socket?.destroy(), limitMs + 5000)
    const answered = () => {
      unanswered -= 1
      if (unanswered > 0) return
      clearTimeout(watchdog)
      watchdog = undefined
    }
    return query.then(
      (rows) => {
        connected = true
        answered()
        return rows
      },
      (error: unknown) => {
        if (error instanceof driver.PostgresError && error.severity !== 'FATAL') connected = true
        answered()
        throw error
      },
    )
  }

  const send = (text: string, values: readonly SqlValue[], simple: boolean, limitMs: number) =>
    watch(
      sql
        .unsafe(text, values.map(typed) as never[], {
          prepare: !simple,
          // Not in the driver's types: without it a text with no values would not be prepared.
          ...{ simple },
        })
        .execute() as unknown as Promise<Rows>,
      limitMs,
    )

  // Type 0 leaves the choice to the server, so that a text is prepared once whatever its values are.
  const typed = (value: SqlValue) =>
    value === null || typeof value === 'string' || typeof value === 'number'
      ? value
      : sql.typed(value as never, 0)

  return {
    get lost() {
      return lost
    },
    get connected() {
      return connected
    },
    run: (text, values) => send(text, values, false, statementTimeoutMs),
    simple: (text, { unlimited = false } = {}) =>
      send(text, [], true, unlimited ? 0 : statementTimeoutMs),
    end: () => sql.end({ timeout: 5 }),
  }
}

/** What the driver threw, in the port's words. */
export const sqlError = (
  error: unknown,
  outcome: SqlError['outcome'] = 'rolled-back',
): SqlError => {
  if (error instanceof SqlError) return error
  if (error instanceof driver.PostgresError) {
    // A plan that was prepared before a migration: it is prepared anew when the transaction runs again.
    const stale = error.routine === 'RevalidateCachedQuery' && error.code === '0A000'
    return new SqlError(error.message, {
      sqlState: stale ? '40001' : error.code,
      constraint: error.constraint_name,
      outcome,
      cause: error,
    })
  }
  const message = error instanceof Error ? error.message : String(error)
  return new SqlError(message, { sqlState: '', outcome, cause: error })
}

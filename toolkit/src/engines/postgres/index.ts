import { failure } from '../../base/failure.ts'
import type { SqlDatabase, SqlServer } from '../sql/database.ts'
import { guardFunction } from '../sql/guard.ts'
import { openClient } from './client.ts'
import { sqlError, type ClientOptions } from './connect.ts'
import { postgresDatabase } from './database.ts'
import { clientPool, type Pool } from './pool.ts'
import { isProvisioned, provision, rolePassword } from './provision.ts'

export interface PostgresOptions {
  /** postgres://user:password@host:port/database of a role that may create roles and databases. */
  readonly url: string
  /** Where a person finds that url, for messages, such as the name of an environment variable. Default: `url`. */
  readonly setting?: string
  /** Databases that an administrator made, by service: these are used as they are. */
  readonly urls?: Readonly<Record<string, string>>
  /** Connections for each service and host; default 8. */
  readonly poolSize?: number
  /** Before the service's name, in the names of its database and role; default `serval_`. */
  readonly prefix?: string
  /**
   * The services' passwords are derived from it, so that every host of a system knows them. Default: the
   * password in `url`; without either the roles have none, and the server must trust its clients.
   */
  readonly secret?: string
  /** Default 5,000. */
  readonly connectTimeoutMs?: number
  /** A statement is stopped after this time, scripts excepted; default 30,000. */
  readonly statementTimeoutMs?: number
}

const sessionSettings = (service: string, statementTimeoutMs: number) => ({
  application_name: `serval/${service}`,
  default_transaction_read_only: true,
  timezone: 'UTC',
  datestyle: 'ISO',
  bytea_output: 'hex',
  // Statements are short and run often: to compile one takes far longer than to run it.
  jit: false,
  statement_timeout: statementTimeoutMs,
  // A step calls nobody: who pauses longer in its middle has stopped, and holds up others by its locks.
  idle_in_transaction_session_timeout: Math.min(statementTimeoutMs, 5_000),
})

/**
 * Of the connection on which steps commit together. Their statements are by key: one plan serves any number of rows, and it goes by the keys'
 * indexes, also when it was made while a table was still small. And whoever waits for others' rows holds up all that share the commit.
 */
const groupSettings = {
  lock_timeout: 250,
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
}

/** By the connection that is then used. */
const usable = async (pool: Pool): Promise<boolean> => {
  const client = await pool.take()
  try {
    return await isProvisioned(client)
  } finally {
    pool.give(client)
  }
}

/** PostgreSQL 13 or later: a database and a role for each service, by the driver `pg`. */
export const postgres = (options: PostgresOptions): SqlServer => {
  const { url, setting = 'url', urls = {}, poolSize = 8, prefix = 'serval_' } = options
  const { connectTimeoutMs = 5000, statementTimeoutMs = 30_000 } = options
  if (!/^[a-z][a-z0-9_]{0,30}$/.test(prefix))
    throw failure('misconfigured', `prefix must match [a-z][a-z0-9_]{0,30}, not '${prefix}'`)
  if (!Number.isInteger(poolSize) || poolSize < 1 || poolSize > 1000)
    throw failure('misconfigured', `poolSize must be from 1 to 1000, not ${poolSize}`)
  const parsed = parseUrl(url, setting)
  const secret = options.secret ?? decodeURIComponent(parsed.password)
  const name = `postgres ${parsed.host}`
  const opened = new Map<string, Promise<SqlDatabase>>()
  const pools: Pool[] = []

  const target = (service: string): ClientOptions => {
    const own = urls[service]
    const role = `${prefix}${service.replaceAll('-', '_')}`
    return {
      ...(own === undefined
        ? { url, database: role, user: role, password: rolePassword(secret, role) }
        : { url: own }),
      connectTimeoutMs,
      statementTimeoutMs,
      settings: sessionSettings(service, statementTimeoutMs),
    }
  }

  const open = async (service: string): Promise<SqlDatabase> => {
    if (!/^[a-z][a-z0-9_-]{0,30}$/.test(service))
      throw failure(
        'misconfigured',
        `a service's name must match [a-z][a-z0-9_-]{0,30}, not '${service}'`,
      )
    const at = target(service)
    try {
      const pool = clientPool(Math.max(1, poolSize - 1), () => openClient(at))
      pools.push(pool)
      if (urls[service] === undefined && !(await usable(pool))) await provision(at, url)
      const settings = { ...at.settings, ...groupSettings }
      const groups = poolSize > 1 ? clientPool(1, () => openClient({ ...at, settings })) : pool
      pools.push(groups)
      const database = postgresDatabase(pool, groups)
      const known = 'serval_guard_failed(bigint,bigint)'
      const [guard] = await database.read((session) =>
        session.query('select to_regprocedure($1) is not null as there', [known]),
      )
      if (!guard?.['there'])
        // Hosts start together, and `create or replace` of one function must not overlap.
        await database.script(`select pg_advisory_xact_lock(7368647512); ${guardFunction}`)
      return database
    } catch (error) {
      const where = urls[service] === undefined ? setting : `urls.${service}`
      const { message, sqlState } = sqlError(error)
      const fix =
        sqlState === '42501'
          ? `the user in ${where} must be allowed to create databases and roles`
          : `see that the server runs, and that address, user, password and database in ${where} are right`
      throw failure('cannot-start', `${name}, ${service}: ${message}; ${fix}`, { cause: error })
    }
  }

  return {
    exclusive: false,
    name,
    open: (service) => {
      const known = opened.get(service) ?? open(service)
      opened.set(service, known)
      known.catch(() => opened.delete(service))
      return known
    },
    close: async () => {
      await Promise.allSettled(opened.values())
      await Promise.all(pools.map((pool) => pool.end()))
    },
  }
}

const decodes = (text: string): boolean => {
  try {
    return decodeURIComponent(text) !== undefined
  } catch {
    return false
  }
}

const parseUrl = (url: string, setting: string): URL => {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (!parsed || !/^postgres(ql)?:$/.test(parsed.protocol) || !decodes(parsed.password))
    // The value is not shown: it holds a password.
    throw failure('misconfigured', `${setting} must be postgres://user:password@host:port/database`)
  return parsed
}

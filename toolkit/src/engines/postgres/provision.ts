import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { openClient, type Client } from './client.ts'
import { sqlError, type ClientOptions } from './connect.ts'

const lockKey = 7368647511

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`
const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

/** Every host derives the same password; an empty secret means that the server trusts its clients. */
export const rolePassword = (secret: string, role: string): string | undefined =>
  secret === ''
    ? undefined
    : createHmac('sha256', secret).update(`serval role ${role}`).digest('base64url')

/** What the server stores of a password (RFC 5803), so that the password is in no statement and no log. */
const scramVerifier = (password: string): string => {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, 4096, 32, 'sha256')
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64')
  const serverKey = hmac('Server Key').toString('base64')
  return `SCRAM-SHA-256$4096:${salt.toString('base64')}$${storedKey}:${serverKey}`
}

const exists = async (admin: Client, catalog: string, column: string, name: string) =>
  (await admin.run(`select 1 from ${catalog} where ${column} = $1`, [name])).length > 0

/** Names sort by code point, as in the embedded engine, so that a query's order is the same on both. */
const createDatabase = async (admin: Client, role: string) => {
  const create = `create database ${quote(role)} owner ${quote(role)} template template0 encoding 'UTF8' lc_collate 'C'`
  try {
    await admin.simple(`${create} lc_ctype 'C.UTF-8'`, { unlimited: true })
  } catch (error) {
    // A system without that locale: only case mapping outside ASCII differs.
    if (sqlError(error).sqlState !== '42809' && sqlError(error).sqlState !== '22023') throw error
    await admin.simple(`${create} lc_ctype 'C'`, { unlimited: true })
  }
}

const create = async (admin: Client, role: string, password: string | undefined) => {
  const secured = password === undefined ? '' : ` password ${literal(scramVerifier(password))}`
  if (!(await exists(admin, 'pg_roles', 'rolname', role))) {
    await admin.simple(`create role ${quote(role)} login${secured}`)
    // An administrator who is no superuser can only give a database to a role that he is a member of.
    const [self] = await admin.run('select rolsuper from pg_roles where rolname = current_user', [])
    if (!self?.['rolsuper']) await admin.simple(`grant ${quote(role)} to current_user`)
  }
  if (!(await exists(admin, 'pg_database', 'datname', role))) await createDatabase(admin, role)
  await admin.simple(`revoke all on database ${quote(role)} from public`)
}

/** Whether a service's role and database are as they should be: it can connect, and others cannot. Rejects when the server cannot be reached. */
export const isProvisioned = async (client: Client): Promise<boolean> => {
  try {
    const [row] = await client.run(
      `select has_database_privilege('public', current_database(), 'connect') as open`,
      [],
    )
    return row?.['open'] === false
  } catch (error) {
    if (sqlError(error).sqlState === '') throw error
    return false
  }
}

/** Rejects when the role's password is another. */
const login = async (options: ClientOptions): Promise<void> => {
  const client = openClient(options)
  try {
    await client.simple('')
  } finally {
    await client.end()
  }
}

/**
 * Makes the role and the database that `options` names, when they are missing. Under a lock of the whole
 * server, because hosts of one system start together.
 */
export const provision = async (options: ClientOptions, adminUrl: string): Promise<void> => {
  const { user, password, connectTimeoutMs, statementTimeoutMs } = options
  if (user === undefined) return
  const admin = openClient({ url: adminUrl, connectTimeoutMs, statementTimeoutMs, settings: {} })
  try {
    await admin.run('select pg_advisory_lock($1)', [lockKey])
    await create(admin, user, password)
    try {
      await login(options)
    } catch (error) {
      if (sqlError(error).sqlState !== '28P01' || password === undefined) throw error
      // The secret was changed since the role was made.
      await admin.simple(
        `alter role ${quote(user)} login password ${literal(scramVerifier(password))}`,
      )
      await login(options)
    }
  } finally {
    await admin.end()
  }
}

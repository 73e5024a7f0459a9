import postgres from 'postgres'

/*
 * The PostgreSQL server that a run of the tests shares (SERVAL_TEST_POSTGRES_URL), and a shop's databases on it.
 */

export const postgresUrl = process.env['SERVAL_TEST_POSTGRES_URL']
export const whyNoPostgres = 'PostgreSQL is not installed, or SERVAL_TEST_POSTGRES_URL is not set'

let count = 0
/** Of names of databases and roles that nobody else uses. */
export const uniquePrefix = (): string => `a${process.pid}_${(count += 1)}_`

const connect = (url: string) => postgres(url, { max: 1, onnotice: () => undefined })

const databasesOf = async (sql: postgres.Sql, prefix: string): Promise<readonly string[]> => {
  const rows = await sql<{ datname: string }[]>`
    select datname from pg_database where starts_with(datname, ${prefix})`
  return rows.map(({ datname }) => datname)
}

/** Takes away the databases and roles of a shop that has ended. */
export const dropDatabases = async (url: string, prefix: string): Promise<void> => {
  const sql = connect(url)
  try {
    for (const name of await databasesOf(sql, prefix))
      await sql.unsafe(`drop database "${name}" with (force)`)
    const roles = await sql<{ rolname: string }[]>`
      select rolname from pg_roles where starts_with(rolname, ${prefix})`
    for (const { rolname } of roles) await sql.unsafe(`drop role "${rolname}"`)
  } finally {
    await sql.end()
  }
}

/** The migrations that a service's database has seen. */
export const migrationsOf = async (url: string, database: string): Promise<readonly string[]> => {
  const one = new URL(url)
  one.pathname = `/${database}`
  const sql = connect(one.href)
  const rows = await sql<{ id: string }[]>`select id from serval_migration`
  await sql.end()
  return rows.map(({ id }) => id)
}

export interface StoredRow {
  /** `database.table`. */
  readonly table: string
  /** All of it, with what is bytes as the text that it may be. */
  readonly text: string
}

/** Every row of every table of a shop. */
export const storedRows = async (url: string, prefix: string): Promise<readonly StoredRow[]> => {
  const server = connect(url)
  const names = await databasesOf(server, prefix)
  await server.end()
  const found: StoredRow[] = []
  for (const name of names) {
    const one = new URL(url)
    one.pathname = `/${name}`
    const sql = connect(one.href)
    const tables = await sql<{ tablename: string }[]>`
      select tablename from pg_tables where schemaname = 'public'`
    for (const { tablename } of tables)
      for (const row of await sql.unsafe(`select * from "${tablename}"`)) {
        const values = Object.values(row).map((value: unknown) =>
          value instanceof Uint8Array
            ? Buffer.from(value).toString('latin1')
            : typeof value === 'string'
              ? value
              : JSON.stringify(value),
        )
        found.push({ table: `${name.slice(prefix.length)}.${tablename}`, text: values.join('\n') })
      }
    await sql.end()
  }
  return found
}

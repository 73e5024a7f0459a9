import driver from 'postgres'
import type { Database, Query } from './database.ts'

/** PostgreSQL by postgres.js, with prepared statements and pipelining. */
export const postgresJs = (url: string, max: number): Database => {
  const sql = driver(url, { max, onnotice: () => undefined })
  const queryOn =
    (session: Pick<typeof sql, 'unsafe'>): Query =>
    (text, values = []) =>
      session.unsafe(text, values as never[], { prepare: true }) as unknown as Promise<never>
  return {
    query: queryOn(sql),
    transaction: (work) => sql.begin((session) => work(queryOn(session))) as Promise<never>,
  }
}

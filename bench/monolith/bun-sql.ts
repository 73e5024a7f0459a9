import type { Database, Query } from './database.ts'

/** The part of Bun's driver that is used; the bench is checked with Node's types. */
interface Session {
  unsafe(text: string, values: readonly unknown[]): Promise<never>
}
interface BunSql extends Session {
  begin<T>(work: (session: Session) => Promise<T>): Promise<T>
  array(values: readonly unknown[], type: string): unknown
}
interface BunRuntime {
  readonly SQL: new (url: string, options: { max: number }) => BunSql
}

/** PostgreSQL by Bun's own driver. */
export const bunSql = (url: string, max: number): Database => {
  const { Bun } = globalThis as unknown as { Bun: BunRuntime }
  const sql = new Bun.SQL(url, { max })
  const value = (given: unknown) => {
    if (!Array.isArray(given)) return given
    return sql.array(given, typeof given[0] === 'number' ? 'BIGINT' : 'TEXT')
  }
  const queryOn =
    (session: Session): Query =>
    async (text, values = []) =>
      session.unsafe(text, values.map(value))
  return {
    query: queryOn(sql),
    transaction: (work) => sql.begin((session) => work(queryOn(session))),
  }
}

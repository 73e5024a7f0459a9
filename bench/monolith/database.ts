export type Row = Readonly<Record<string, unknown>>
export type Query = <R = Row>(text: string, values?: readonly unknown[]) => Promise<readonly R[]>

/** What the monolith needs of a database; statements that are sent without waiting share a packet. */
export interface Database {
  readonly query: Query
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>
}

/** Of 5 to 50, measured best for both drivers; the contender has as many for each of its services. */
const connections = 10

/** The better driver of the runtime: on Node postgres.js (faster here than pg), on Bun its own. */
export const openDatabase = async (url: string): Promise<Database> =>
  'bun' in process.versions
    ? (await import('./bun-sql.ts')).bunSql(url, connections)
    : (await import('./postgres-js.ts')).postgresJs(url, connections)

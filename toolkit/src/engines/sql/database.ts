import type { ServalError } from '../../base/failure.ts'

/**
 * The subset of SQL that our one SQL store uses, spoken alike by every PostgreSQL: the server and the
 * embedded one. Types are the same on all engines, both ways:
 *
 * | PostgreSQL | in TypeScript |
 * | --- | --- |
 * | text, uuid | string |
 * | smallint, integer, bigint, count(*) | number (a bigint beyond 2^53−1 is an error) |
 * | boolean | boolean |
 * | timestamptz | number, milliseconds since the epoch (sub-millisecond digits are cut) |
 * | bytea | Uint8Array |
 * | json, jsonb | a value when read; a string (already JSON) when written |
 * | text[], bigint[], bytea[] … | an array of these; as jsonb[], of JSON texts |
 */
export type SqlValue = string | number | boolean | null | Uint8Array | SqlColumn

/** A value of each row. */
export type SqlColumn =
  | readonly (string | null)[]
  | readonly (number | null)[]
  | readonly (boolean | null)[]
  | readonly (Uint8Array | null)[]

export type SqlRow = Readonly<Record<string, unknown>>

/** What a write's guard says when its statement changed another number of rows than it must. */
export interface SqlGuard {
  /** Rows that the statement must change. */
  readonly rows: number
  /** What the transaction fails with: a failure to throw, or a word that the caller of `transaction` knows. */
  readonly otherwise: ServalError | 'again' | (string & {})
}

/**
 * A write of any number of rows, whose parameters are columns: arrays of one length, an element for each row. It changes at most one row of the
 * table for each of its own, and reads nothing else that steps change, so that the rows of several transactions may be those of one statement.
 */
export interface SqlRowsWrite {
  /** Such as `insert into item (id, n) select * from unnest($1::text[], $2::bigint[])`. */
  readonly text: string
  readonly columns: readonly SqlColumn[]
  /** Each row must change one row; else the transaction fails with this. */
  readonly otherwise?: SqlGuard['otherwise'] | undefined
  /**
   * Where it runs when transactions commit together: `lock`, which only locks rows in the order of their keys, before all changes
   * (the default), `settle` and `publish` behind them.
   */
  readonly phase?: 'lock' | 'change' | 'settle' | 'publish' | undefined
  /** Makes the rows of several transactions those of one statement, where rows of one key must become one. Default: all of them, in order. */
  readonly combine?: ((columns: readonly SqlColumn[]) => readonly SqlColumn[]) | undefined
  /** Transactions that name the same keep their order, also when they do not commit together. */
  readonly chain?: string | undefined
}

/** One transaction, or one series of reads. Statements run in the order in which they were given. */
export interface SqlSession {
  /** Runs a statement, after every write given before it, and returns its rows. */
  query<Row extends SqlRow>(text: string, values?: readonly SqlValue[]): Promise<readonly Row[]>
  /**
   * Hands over a write without waiting for it: it is sent with the next query, or just before the commit, in
   * one round trip with its neighbours. With a guard the database itself raises when the number of changed
   * rows differs, so that nothing beside it commits; the transaction then rejects with `GuardFailed`.
   */
  write(text: string, values?: readonly SqlValue[], guard?: SqlGuard): void
  /** The same for a statement of rows: transactions that commit together have their rows written by one statement. */
  writeRows(write: SqlRowsWrite): void
}

/** One service's database. */
export interface SqlDatabase {
  /** Commits what `work` did, or none of it. Rejects with GuardFailed, SqlError, or whatever `work` threw. */
  transaction<T>(work: (session: SqlSession) => Promise<T>): Promise<T>
  /** Reads outside a transaction; each statement sees what is committed when it starts. Writing there fails. */
  read<T>(work: (session: SqlSession) => Promise<T>): Promise<T>
  /** Runs a script of several statements in one transaction, for migrations. */
  script(text: string): Promise<void>
}

/** What a setup names: it opens the database of each service, each with a role of its own. */
export interface SqlServer {
  /** For messages: the engine and where it is, without secrets. */
  readonly name: string
  /** Only one process can have it open. */
  readonly exclusive: boolean
  /** Creates the service's database (or schema) and role when they are missing. */
  open(service: string): Promise<SqlDatabase>
  close(): Promise<void>
}

/** A guarded write changed another number of rows than it must. Nothing was committed. */
export class GuardFailed extends Error {
  override readonly name = 'GuardFailed'
  readonly otherwise: SqlGuard['otherwise']
  constructor(otherwise: SqlGuard['otherwise']) {
    super(
      `a guarded write did not change the rows that it must: ${typeof otherwise === 'string' ? otherwise : otherwise.code}`,
    )
    this.otherwise = otherwise
  }
}

/** The database refused a statement, or was lost. */
export class SqlError extends Error {
  override readonly name = 'SqlError'
  /** Five characters (PostgreSQL appendix A), or '' when the connection failed. */
  readonly sqlState: string
  readonly constraint: string | undefined
  /** `rolled-back`: surely not committed. `unknown`: the connection was lost in the commit. */
  readonly outcome: 'rolled-back' | 'unknown'
  constructor(
    message: string,
    options: {
      sqlState: string
      constraint?: string | undefined
      outcome: 'rolled-back' | 'unknown'
      cause?: unknown
    },
  ) {
    super(message, { cause: options.cause })
    this.sqlState = options.sqlState
    this.constraint = options.constraint
    this.outcome = options.outcome
  }
  /** A deadlock or a serialization conflict: the same transaction may be run again at once. */
  get again(): boolean {
    return this.sqlState === '40001' || this.sqlState === '40P01'
  }
  /** The database could not be reached, has no room, is shutting down, or gave up on a session that paused (classes 08 and 53, 57P0x, 25P03). */
  get unreachable(): boolean {
    return (
      this.sqlState === '' ||
      // 08P01 is a fault in what was sent, such as a wrong number of parameters.
      (this.sqlState.startsWith('08') && this.sqlState !== '08P01') ||
      this.sqlState.startsWith('57P') ||
      this.sqlState.startsWith('53') ||
      this.sqlState === '25P03'
    )
  }
}

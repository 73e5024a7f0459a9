import type { PGlite } from '@electric-sql/pglite'
import { GuardFailed, SqlError, type SqlRow } from '../sql/database.ts'
import type { Statement } from '../sql/transaction.ts'
import { serialize } from '../sql/values.ts'
import {
  parseReplies,
  preparedLimit,
  requests,
  type Column,
  type Prepared,
  type Replies,
} from '../sql/wire.ts'

/** Where a statement is parsed and run: a service's role and schema, or the administrator's. */
export interface Place {
  readonly role: string | undefined
  readonly schema: string
  readonly prepared: Map<string, Prepared>
}

export const place = (role: string | undefined, schema: string): Place => ({
  role,
  schema,
  prepared: new Map(),
})

const name = (text: string) => `"${text.replaceAll('"', '""')}"`

const noColumns: readonly Column[] = []

/**
 * PGlite's one session, spoken to synchronously: a call returns when the database has answered. So statements
 * that are handed over together cannot be interrupted, and only transactions that wait in their middle
 * need the turn (see turn.ts).
 */
export class Session {
  readonly #pg: PGlite
  readonly #out = requests()
  readonly #places = new Set<Place>()
  #at: Place | undefined
  #named = 0
  #broken: unknown

  constructor(pg: PGlite) {
    this.#pg = pg
  }

  /** Passes the session to a service. Outside a transaction, so that no rollback takes it back. */
  enter(to: Place): void {
    if (this.#at === to) return
    this.#at = undefined
    const role = to.role === undefined ? 'reset role' : `set role ${name(to.role)}`
    this.simple(`${role}; set search_path to ${name(to.schema)}`)
    this.#places.add(to)
    this.#at = to
  }

  simple(text: string): Replies {
    this.#out.simple(text)
    return this.#exchange(() => noColumns)
  }

  /**
   * Runs statements, and `before` and `after` around them, up to the first that fails, which is thrown. A
   * guard is checked before anything after it is sent for commit: the database tells the number of changed
   * rows at no cost here, because no network lies between.
   */
  run(statements: readonly Statement[], before?: string): readonly SqlRow[] {
    const columns: (readonly Column[])[] = []
    const series: (Statement | undefined)[] = []
    let rows: readonly SqlRow[] = []
    const flush = () => {
      if (series.length === 0) return
      this.#out.sync()
      const { done, error } = this.#exchange((index) => columns[index] ?? noColumns, false)
      done.forEach(({ count }, index) => {
        const guard = series[index]?.guard
        if (guard && guard.rows !== count) throw new GuardFailed(guard.otherwise)
      })
      if (error) throw error
      rows = done.at(-1)?.rows ?? []
      series.length = columns.length = 0
    }
    const add = (text: string, statement?: Statement) => {
      let known = this.#at!.prepared.get(text)
      if (!known) {
        // The text may need what a statement before it makes.
        flush()
        known = this.#prepare(text)
      }
      const { parameters } = known
      const values = statement?.values ?? []
      this.#out.execute(
        known.name,
        values.map((value, index) => serialize(parameters[index] ?? 25, value)),
      )
      columns.push(known.columns)
      series.push(statement)
    }
    if (before !== undefined) add(before)
    for (const statement of statements) add(statement.text, statement)
    flush()
    return rows
  }

  /** After a migration, what the service had prepared may no longer fit. */
  forgetPrepared(): void {
    for (const { name } of this.#at?.prepared.values() ?? []) this.#out.forget(name)
    this.#at?.prepared.clear()
  }

  #prepare(text: string): Prepared {
    const { prepared } = this.#at!
    if (prepared.size >= preparedLimit) {
      const [oldest, { name }] = prepared.entries().next().value!
      prepared.delete(oldest)
      this.#out.forget(name)
    }
    const statement = `s${(this.#named += 1)}`
    this.#out.prepare(statement, text)
    this.#out.sync()
    const { parameters = [], columns = noColumns } = this.#exchange(() => noColumns)
    const made = { name: statement, parameters, columns }
    prepared.set(text, made)
    return made
  }

  #exchange(columnsOf: (index: number) => readonly Column[], throws = true): Replies {
    if (this.#broken) throw this.#lost()
    const chunks: Buffer[] = []
    // It answers before it returns; the promise only carries a crash.
    this.#pg
      .execProtocolRawStream(this.#out.take(), {
        syncToFs: false,
        // The bytes are a view of the database's memory.
        onRawData: (bytes) => void chunks.push(Buffer.from(bytes)),
      })
      .catch((error: unknown) => (this.#broken = error))
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    if (bytes.length === 0) throw this.#lost()
    const replies = parseReplies(bytes, columnsOf)
    if (throws && replies.error) throw replies.error
    return replies
  }

  #lost(): SqlError {
    return new SqlError('the embedded database has crashed: start this process again', {
      sqlState: '57P02',
      outcome: 'rolled-back',
      cause: this.#broken,
    })
  }
}

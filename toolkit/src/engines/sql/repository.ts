import { failure } from '../../base/failure.ts'
import type { SqlGuard, SqlSession, SqlValue } from './database.ts'
import type { Migration } from './schema.ts'

/** What a repository on SQL is given. */
export interface RepositorySession extends SqlSession {
  /** Names the aggregate that the next writes change. In scope `aggregate` a second one is refused, and so is a write before the first. */
  touch(aggregate: string): void
}

/** A repository's implementation on PostgreSQL, server or embedded. */
export interface SqlRepository<R> {
  readonly migrations: readonly Migration[]
  readonly open: (session: RepositorySession) => R
}

export const sqlRepository = <R>(implementation: SqlRepository<R>): SqlRepository<R> =>
  implementation

/** `for update` is a lock, no write. A function that writes is not seen. */
const writing =
  /(?<!\bfor\s+(?:no\s+key\s+)?)\b(?:insert\s+into|update|delete\s+from|merge\s+into|truncate)\b/i
const quoted = /'(?:[^']|'')*'|"[^"]*"|--[^\n]*|\/\*[\s\S]*?\*\//g

/** Whether a statement writes, also in a common table expression. */
export const writes = (text: string): boolean =>
  writing.test(text) && writing.test(text.replaceAll(quoted, "''"))

/** Wraps a session so that the scope holds. `touched` is shared by all repositories of one step. */
export const scoped = (
  session: SqlSession,
  scope: 'service' | 'aggregate',
  touched: Set<string>,
): RepositorySession => {
  const free = {
    query: session.query.bind(session),
    write: session.write.bind(session),
    writeRows: session.writeRows.bind(session),
  }
  if (scope === 'service') return { ...free, touch: () => undefined }
  const refusal = () =>
    failure(
      'two-aggregates',
      'a repository of scope aggregate writes to the one aggregate that it named',
    )
  return {
    query: (text, values) =>
      touched.size !== 1 && writes(text) ? Promise.reject(refusal()) : free.query(text, values),
    write: (text: string, values?: readonly SqlValue[], guard?: SqlGuard) => {
      if (touched.size !== 1) throw refusal()
      free.write(text, values, guard)
    },
    writeRows: (rows) => {
      if (touched.size !== 1) throw refusal()
      free.writeRows(rows)
    },
    touch: (aggregate) => {
      touched.add(aggregate)
      if (touched.size > 1)
        throw failure('two-aggregates', `a step touched ${[...touched].join(' and ')}`)
    },
  }
}

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

export const sqlRepository = <R>(implementation: SqlRepository<R>): SqlRepository<R> => implementation

/** Wraps a session so that the scope holds. */
export const scoped = (session: SqlSession, scope: 'service' | 'aggregate', touched: Set<string>): RepositorySession => ({
  query: (text, values) => session.query(text, values),
  write: (text: string, values?: readonly SqlValue[], guard?: SqlGuard) => {
    if (scope === 'aggregate' && touched.size === 0) throw failure('two-aggregates', 'a repository of scope aggregate wrote before it named its aggregate')
    session.write(text, values, guard)
  },
  touch: (aggregate) => {
    touched.add(aggregate)
    if (scope === 'aggregate' && touched.size > 1) throw failure('two-aggregates', `a step touched ${[...touched].join(' and ')}`)
  },
})

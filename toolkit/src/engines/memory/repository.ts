import { failure, ServalError } from '../../base/failure.ts'
import type { RepositoryType } from '../../store/repository.ts'
import type { Overlay, Table } from './tables.ts'

/** What a repository in memory is given: the service's tables as one step, or one read, sees them. */
export interface MemorySession {
  /** All repositories of a service share its tables, as they do in a database. */
  table<Row>(name: string): Table<Row>
  /** A guard: unless `condition` holds, nothing of the step commits, and it fails with `otherwise` or runs again. */
  expect(condition: boolean, otherwise: ServalError | 'again'): void
  /** Names the aggregate that the next writes change. In scope `aggregate` a second one is refused, and so is a write before the first. */
  touch(aggregate: string): void
}

/** A repository's implementation in memory, under `engines.memory`. */
export interface MemoryRepository<R> {
  readonly open: (session: MemorySession) => R
}

export const memoryRepository = <R>(implementation: MemoryRepository<R>): MemoryRepository<R> =>
  implementation

/** A guard that says: run again. */
export class Again extends Error {
  override readonly name = 'Again'
}

/** The repositories of one step or one read. */
export interface Opened {
  readonly repositories: Readonly<Record<string, unknown>>
  /** Ends it: nothing more can be written. Throws the first guard that failed, also when it was swallowed. */
  end(): void
}

export interface Implementation {
  readonly name: string
  readonly scope: RepositoryType['scope']
  readonly repository: MemoryRepository<unknown>
}

export const openRepositories = (
  implementations: readonly Implementation[],
  tables: Overlay,
  reading: boolean,
): Opened => {
  const touched = new Set<string>()
  let over = false
  let failed: Error | undefined

  const mayWrite = (scope: Implementation['scope']) => {
    if (over) throw failure('internal', 'the step is over: nothing can be written any more')
    if (reading) throw failure('internal', 'nothing can be written in a read')
    if (scope === 'aggregate' && touched.size !== 1)
      throw failure(
        'two-aggregates',
        'a repository of scope aggregate writes to the one aggregate that it named',
      )
  }
  const session = (scope: Implementation['scope']): MemorySession => ({
    table: <Row>(name: string): Table<Row> => {
      const table = tables.table<Row>(name)
      return {
        ...table,
        put: (key, row) => {
          mayWrite(scope)
          table.put(key, row)
        },
        delete: (key) => {
          mayWrite(scope)
          return table.delete(key)
        },
      }
    },
    expect: (condition, otherwise) => {
      if (condition) return
      failed ??= otherwise instanceof ServalError ? otherwise : new Again()
      throw failed
    },
    touch: (aggregate) => {
      if (scope === 'service') return
      touched.add(aggregate)
      if (touched.size > 1)
        throw failure('two-aggregates', `a step touched ${[...touched].join(' and ')}`)
    },
  })
  return {
    repositories: Object.fromEntries(
      implementations.map(({ name, scope, repository }) => [name, repository.open(session(scope))]),
    ),
    end: () => {
      over = true
      if (failed !== undefined) throw failed
    },
  }
}

import {
  SqlError,
  type SqlGuard,
  type SqlRow,
  type SqlRowsWrite,
  type SqlSession,
  type SqlValue,
} from './database.ts'

export interface Statement {
  readonly text: string
  readonly values: readonly SqlValue[]
  readonly guard?: SqlGuard | undefined
  /** Of a statement of rows: it may be combined with others of its text. */
  readonly rows?: SqlRowsWrite | undefined
}

/** A statement of rows as it runs. */
export const rowsStatement = (rows: SqlRowsWrite): Statement => ({
  text: rows.text,
  values: rows.columns,
  guard:
    rows.otherwise === undefined
      ? undefined
      : { rows: rows.columns[0]?.length ?? 0, otherwise: rows.otherwise },
  rows,
})

/** What an engine gives to one transaction: its session, for as long as the transaction lasts. */
export interface Channel {
  /**
   * Runs the statements in order, in as few round trips as the engine can, after those of earlier calls,
   * whether or not these were awaited. Resolves with the rows of the last statement. Rejects with
   * GuardFailed or SqlError of the first that failed; then none of the later ones had an effect.
   */
  send(
    statements: readonly Statement[],
    phase: { readonly begin: boolean; readonly commit: boolean },
  ): Promise<readonly SqlRow[]>
  /** Ends what is still open; does nothing after a commit. Never rejects. */
  rollback(): Promise<void>
  /** Gives the session back. */
  release(): void
}

const ended = () =>
  new SqlError('the transaction is over: its session cannot be used any more', {
    sqlState: '25000',
    outcome: 'rolled-back',
  })

const ignore = () => undefined

/** Commits the statements of transactions that ask for nothing in one transaction, as many as are ready. */
export type CommitTogether = (statements: readonly Statement[]) => Promise<void>

/**
 * Runs `work` as one transaction; one that only wrote is committed by `together`. The channel is taken with the first statement, so that what `work` does
 * before holds nobody up; writes wait for the next query or the commit; the first failure dooms the
 * transaction and is what it rejects with, also when `work` swallowed it.
 */
export const runTransaction = async <T>(
  take: () => Promise<Channel>,
  work: (session: SqlSession) => Promise<T>,
  together: CommitTogether,
): Promise<T> => {
  let taken: Promise<Channel> | undefined
  let writes: Statement[] = []
  let begun = false
  let over = false
  let failed: { readonly error: unknown } | undefined
  const running = new Set<Promise<unknown>>()

  const send = async (statements: readonly Statement[], commit: boolean) => {
    taken ??= take()
    const begin = !begun
    begun = true
    try {
      // Continuations of one promise run in the order of their calls: so do the statements.
      const channel = await taken
      if (failed) throw failed.error
      return await channel.send(statements, { begin, commit })
    } catch (error) {
      failed ??= { error }
      throw failed.error
    }
  }

  const session: SqlSession = {
    query: (text, values = []) => {
      if (over) return Promise.reject(ended())
      const statements = [...writes, { text, values }]
      writes = []
      const rows = send(statements, false)
      // Reported by the transaction itself, also when `work` does not wait for the rows.
      const settled = rows.then(ignore, ignore)
      running.add(settled)
      void settled.then(() => running.delete(settled))
      return rows as Promise<never>
    },
    write: (text, values = [], guard) => {
      if (over) throw ended()
      writes.push({ text, values, guard })
    },
    writeRows: (rows) => {
      if (over) throw ended()
      if ((rows.columns[0]?.length ?? 0) > 0) writes.push(rowsStatement(rows))
    },
  }

  try {
    const value = await work(session)
    over = true
    // A query that nobody waited for may still be under way: it goes before the commit, or fails it. After
    // a failure, also one that `work` swallowed, this rejects with it.
    if (begun) await send(writes, true)
    else if (writes.length > 0) await together(writes)
    return value
  } catch (error) {
    over = true
    await Promise.all(running)
    if (taken) await taken.then((channel) => channel.rollback(), ignore)
    throw error
  } finally {
    if (taken) await taken.then((channel) => channel.release(), ignore)
  }
}

/** Queries outside a transaction, one after the other in the order in which they were given. */
export const runReads = async <T>(
  run: (statement: Statement) => Promise<readonly SqlRow[]>,
  work: (session: SqlSession) => Promise<T>,
): Promise<T> => {
  let last: Promise<unknown> | undefined
  const refuse = () => {
    throw new SqlError('a read session does not write: use transaction()', {
      sqlState: '25006',
      outcome: 'rolled-back',
    })
  }
  const session: SqlSession = {
    query: (text, values = []) => {
      const statement = { text, values }
      const rows = last ? last.then(() => run(statement)) : run(statement)
      const settled = rows.then(ignore, ignore)
      last = settled
      void settled.then(() => {
        if (last === settled) last = undefined
      })
      return rows as Promise<never>
    },
    write: refuse,
    writeRows: refuse,
  }
  return work(session)
}

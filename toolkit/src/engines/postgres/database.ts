import { GuardFailed, type SqlDatabase, SqlError } from '../sql/database.ts'
import { commitTogether } from '../sql/group.ts'
import { guarded, guardState } from '../sql/guard.ts'
import { runReads, runTransaction, type Channel, type Statement } from '../sql/transaction.ts'
import { gatheredReads } from './reads.ts'
import type { Client, Sent } from './client.ts'
import type { Pool } from './pool.ts'

// Sessions are read only by default (see settings in index.ts): reads need no transaction to be safe.
const begin: Sent = { text: 'begin read write', values: [] }
const commit: Sent = { text: 'commit', values: [] }

const sent = ({ text, values, guard }: Statement): Sent =>
  guard ? { text: guarded(text, values.length), values: [...values, guard.rows] } : { text, values }

const channel = (client: Client, pool: Pool): Channel => {
  let open = false

  const failure = (error: SqlError, statement: Statement | undefined, unknown: boolean) => {
    const { message, sqlState, cause } = error
    if (sqlState === guardState && statement?.guard)
      return new GuardFailed(statement.guard.otherwise)
    return unknown ? new SqlError(message, { sqlState, outcome: 'unknown', cause }) : error
  }

  return {
    send: async (statements, phase) => {
      const series = statements.map(sent)
      if (phase.begin) series.unshift(begin)
      if (phase.commit) series.push(commit)
      open = true
      const { done, error, unanswered } = await client.series(series)
      if (error) {
        const failed = statements[phase.begin ? done.length - 1 : done.length]
        // A commit that was sent and not answered may have been carried out.
        throw failure(error, failed, phase.commit && unanswered)
      }
      const last = done.at(-1)
      open = !phase.commit
      if (phase.commit && last?.command !== 'COMMIT')
        throw new SqlError('the transaction was rolled back', {
          sqlState: '25P02',
          outcome: 'rolled-back',
        })
      return last?.rows ?? []
    },
    rollback: async () => {
      if (!open || client.lost) return
      open = false
      // A failure here is the connection's end, which is a rollback too.
      await client.simple('rollback').catch(() => client.end())
    },
    release: () => pool.give(client),
  }
}

/** `groups` gives the connection on which transactions that only write commit together. */
export const postgresDatabase = (pool: Pool, groups: Pool): SqlDatabase => {
  const borrow = async <T>(run: (client: Client) => Promise<T>): Promise<T> => {
    const client = await pool.take()
    try {
      return await run(client)
    } finally {
      pool.give(client)
    }
  }
  const takeFrom = (from: Pool) => async () => channel(await from.take(), from)
  const take = takeFrom(pool)
  const together = commitTogether(takeFrom(groups), take)
  const gathered = gatheredReads(async (text, values) => {
    const { done, error, parameters } = await borrow((client) => client.series([{ text, values }]))
    if (error) throw error
    return { rows: done.at(-1)?.rows ?? [], types: parameters }
  })
  return {
    transaction: (work) => runTransaction(take, work, together),
    // Each statement by itself, so that nobody waits for what `work` does between two.
    read: (work) => runReads(gathered, work),
    script: async (text) => {
      await borrow(async (client) => {
        // All of them: what is sent at once waits for the slowest, and a limit of one would end the connection.
        const sent = [begin.text, 'set local statement_timeout = 0', text, commit.text].map((one) =>
          client.simple(one, { unlimited: true }),
        )
        const failed = (await Promise.allSettled(sent)).find(({ status }) => status === 'rejected')
        if (failed) throw (failed as PromiseRejectedResult).reason
      })
    },
  }
}

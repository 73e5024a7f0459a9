import {
  GuardFailed,
  type SqlDatabase,
  type SqlRow,
  SqlError,
  type SqlValue,
} from '../sql/database.ts'
import { commitTogether } from '../sql/group.ts'
import { guarded, guardState } from '../sql/guard.ts'
import { runReads, runTransaction, type Channel, type Statement } from '../sql/transaction.ts'
import { gatheredReads } from './reads.ts'
import { plainRows, sqlError, type Client, type Rows } from './client.ts'
import type { Pool } from './pool.ts'

// Sessions are read only by default (see settings in index.ts): reads need no transaction to be safe.
const begin = 'begin read write'

const sent = ({ text, values, guard }: Statement): readonly [string, readonly SqlValue[]] =>
  guard ? [guarded(text, values.length), [...values, guard.rows]] : [text, values]

const channel = (client: Client, pool: Pool): Channel => {
  let open = false

  const failure = (error: unknown, statement: Statement | undefined, committing: boolean) => {
    const found = sqlError(error)
    if (found.sqlState === guardState && statement?.guard)
      return new GuardFailed(statement.guard.otherwise)
    // With a COMMIT under way, a lost connection leaves open what the server had read of it.
    const unknown = committing && client.connected && found.unreachable
    return unknown ? sqlError(error, 'unknown') : found
  }

  return {
    send: async (statements, phase) => {
      const answers: Promise<Rows>[] = []
      if (phase.begin) answers.push(client.simple(begin))
      for (const each of statements) answers.push(client.run(...sent(each)))
      if (phase.commit) answers.push(client.simple('commit'))
      open = !phase.commit
      const settled = await Promise.allSettled(answers)
      const at = settled.findIndex(({ status }) => status === 'rejected')
      if (at >= 0) {
        const { reason } = settled[at] as PromiseRejectedResult
        throw failure(reason, statements[phase.begin ? at - 1 : at], phase.commit)
      }
      const last = (settled.at(-1) as PromiseFulfilledResult<Rows>).value
      if (phase.commit && last.command !== 'COMMIT')
        throw new SqlError('the transaction was rolled back', {
          sqlState: '25P02',
          outcome: 'rolled-back',
        })
      return plainRows(last)
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
  const borrow = async (run: (client: Client) => Promise<readonly SqlRow[]>) => {
    const client = await pool.take()
    try {
      return await run(client)
    } catch (error) {
      throw sqlError(error)
    } finally {
      pool.give(client)
    }
  }
  const takeFrom = (from: Pool) => async () => channel(await from.take(), from)
  const take = takeFrom(pool)
  const together = commitTogether(takeFrom(groups), take)
  const gathered = gatheredReads(async (text, values) => {
    const rows = (await borrow((client) => client.run(text, values))) as Rows
    return { rows: plainRows(rows), types: rows.statement?.types ?? [] }
  })
  return {
    transaction: (work) => runTransaction(take, work, together),
    // Each statement by itself, so that nobody waits for what `work` does between two.
    read: (work) => runReads(gathered, work),
    script: async (text) => {
      await borrow(async (client) => {
        // All of them: what is sent at once waits for the slowest, and a limit of one would end the connection.
        const sent = [begin, 'set local statement_timeout = 0', text, 'commit'].map((one) =>
          client.simple(one, { unlimited: true }),
        )
        const failed = (await Promise.allSettled(sent)).find(({ status }) => status === 'rejected')
        if (failed) throw (failed as PromiseRejectedResult).reason
        return []
      })
    },
  }
}

import { GuardFailed, type SqlDatabase, type SqlRow, SqlError } from '../sql/database.ts'
import { guarded, guardState } from '../sql/guard.ts'
import { runReads, runTransaction, type Channel, type Statement } from '../sql/transaction.ts'
import { sqlError, type Client, type Rows } from './client.ts'
import type { Pool } from './pool.ts'

// Sessions are read only by default (see settings in index.ts): reads need no transaction to be safe.
const begin = 'begin read write'

const statementText = ({ text, guard }: Statement) => (guard ? guarded(text, guard.rows) : text)

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
      const sent: Promise<Rows>[] = []
      if (phase.begin) sent.push(client.simple(begin))
      for (const each of statements) sent.push(client.run(statementText(each), each.values))
      if (phase.commit) sent.push(client.simple('commit'))
      open = !phase.commit
      const settled = await Promise.allSettled(sent)
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
      // A plain array: the driver's carries its own properties.
      return last.slice()
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

export const postgresDatabase = (pool: Pool): SqlDatabase => {
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
  return {
    transaction: (work) => runTransaction(async () => channel(await pool.take(), pool), work),
    // A connection for each statement, so that nobody waits for what `work` does between two.
    read: (work) =>
      runReads(
        ({ text, values }) => borrow(async (client) => (await client.run(text, values)).slice()),
        work,
      ),
    script: async (text) => {
      await borrow(async (client) => {
        const sent = [
          client.simple(begin),
          client.simple('set local statement_timeout = 0'),
          client.simple(text, { unlimited: true }),
          client.simple('commit'),
        ]
        const failed = (await Promise.allSettled(sent)).find(({ status }) => status === 'rejected')
        if (failed) throw (failed as PromiseRejectedResult).reason
        return []
      })
    },
  }
}

import type { Env } from '../../base/env.ts'
import type { Place, Session } from './session.ts'
import type { Turn } from './turn.ts'

/**
 * A single session has no autovacuum. Left alone, rows that were deleted or replaced (a pruned log, a moved
 * cursor) would fill the folder and slow every scan, and the planner would never learn what is in a table.
 * So after enough writes, every table that changed much is vacuumed and analyzed, the most neglected first.
 */
export interface Upkeep {
  /** To be told of each committed transaction. */
  worked(): void
  stop(): void
}

/** Looking costs milliseconds; a table of 20,000 orders takes a tenth of a second, each time that a fifth of it changed. */
const lookAfterTransactions = 1000
const lookAfterMs = 5000

// Autovacuum's own measure, with its defaults doubled for tables that are small.
const neglected = `
  select quote_ident(schemaname) || '.' || quote_ident(relname) as name
  from pg_stat_user_tables
  where n_dead_tup > 500 + 0.2 * n_live_tup or n_mod_since_analyze > 500 + 0.2 * n_live_tup
  order by (n_dead_tup + n_mod_since_analyze) / (n_live_tup + 1.0) desc`

export const keepUp = (session: Session, turn: Turn, admin: Place, env: Env): Upkeep => {
  let transactions = 0
  let cancel: (() => void) | undefined
  let stopped = false

  const inTurn = async <T>(work: () => T): Promise<T> => {
    await turn.take()
    try {
      session.enter(admin)
      return work()
    } finally {
      turn.give()
    }
  }

  const vacuum = (table: string) => {
    // The session is read only by default, and VACUUM cannot run in a transaction that is not.
    session.simple('set default_transaction_read_only = off')
    try {
      session.simple(`vacuum (analyze) ${table}`)
    } finally {
      session.simple('set default_transaction_read_only = on')
    }
  }

  const look = async () => {
    const tables = await inTurn(() => session.run([{ text: neglected, values: [] }]))
    // Each in a turn of its own: callers wait for one table at most.
    for (const { name } of tables) await inTurn(() => vacuum(String(name)))
    if (tables.length > 0) again()
  }

  const again = () => {
    if (stopped || cancel) return
    transactions = 0
    cancel = env.after(lookAfterMs, () => {
      cancel = undefined
      // It fails only with the database itself, which every caller learns by its own statements.
      look().catch(() => undefined)
    })
  }

  return {
    worked: () => {
      transactions += 1
      if (transactions >= lookAfterTransactions) again()
    },
    stop: () => {
      stopped = true
      cancel?.()
    },
  }
}

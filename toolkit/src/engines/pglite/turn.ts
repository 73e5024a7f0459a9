import type { Env } from '../../base/env.ts'
import { SqlError } from '../sql/database.ts'

/** Whose turn it is at the one session: first come, first served. */
export interface Turn {
  take(): Promise<void>
  give(): void
  /** Waits for its turn, and refuses all who come later or wait. */
  end(): Promise<void>
}

/** The database answers at once, so a queue of transactions would never let timers and sockets in. */
const longestRunMs = 8

const over = () =>
  new SqlError('the database is closed', { sqlState: '57P01', outcome: 'rolled-back' })

export const turns = (env: Env): Turn => {
  const waiting: { resolve(): void; reject(error: Error): void }[] = []
  let held = false
  let ended = false
  /** When the event loop last came by; 0 while nobody has used the session since. */
  let runningSince = 0

  const tired = (): boolean => {
    const now = env.now()
    if (runningSince === 0) {
      runningSince = now
      setImmediate(() => (runningSince = 0))
    }
    return now - runningSince >= longestRunMs
  }

  const take = (): Promise<void> => {
    if (ended) return Promise.reject(over())
    if (!held) {
      held = true
      return tired() ? new Promise((resolve) => setImmediate(resolve)) : Promise.resolve()
    }
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  }

  return {
    take,
    give: () => {
      const next = waiting.shift()
      if (!next) held = false
      else if (tired()) setImmediate(next.resolve)
      else next.resolve()
    },
    end: async () => {
      const last = take()
      ended = true
      const refused = waiting.splice(0, held && waiting.length > 0 ? waiting.length - 1 : 0)
      for (const { reject } of refused) reject(over())
      await last
    },
  }
}

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

/** A step calls nobody and so ends at once; one that waits for a second step would wait for ever. */
const longestHoldMs = 10_000

const stuck = () =>
  new SqlError(
    `a transaction has held the one session for ${longestHoldMs} ms: does it wait for a call, or for another transaction?`,
    { sqlState: '55P03', outcome: 'rolled-back' },
  )

/** Nothing of what was asked for has begun. */
export class DatabaseClosed extends SqlError {
  constructor() {
    super('the database is closed', { sqlState: '57P01', outcome: 'rolled-back' })
  }
}

export const turns = (env: Env): Turn => {
  const waiting: { resolve(): void; reject(error: Error): void }[] = []
  let held = false
  let ended = false
  let holder = 0
  let forgetWatch: (() => void) | undefined
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

  const watch = () => {
    const seen = holder
    forgetWatch = env.after(longestHoldMs, () => {
      forgetWatch = undefined
      if (holder === seen) for (const { reject } of waiting.splice(0)) reject(stuck())
      else if (waiting.length > 0) watch()
    })
  }

  const take = (): Promise<void> => {
    if (ended) return Promise.reject(new DatabaseClosed())
    if (!held) {
      held = true
      holder += 1
      return tired() ? new Promise((resolve) => setImmediate(resolve)) : Promise.resolve()
    }
    if (!forgetWatch) watch()
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  }

  return {
    take,
    give: () => {
      const next = waiting.shift()
      if (waiting.length === 0) {
        forgetWatch?.()
        forgetWatch = undefined
      }
      holder += 1
      if (!next) held = false
      else if (tired()) setImmediate(next.resolve)
      else next.resolve()
    },
    end: async () => {
      const last = take()
      ended = true
      const refused = waiting.splice(0, held && waiting.length > 0 ? waiting.length - 1 : 0)
      for (const { reject } of refused) reject(new DatabaseClosed())
      await last
    },
  }
}

import { SqlError } from '../sql/database.ts'
import type { Channel } from '../sql/transaction.ts'
import type { Reached } from './reached.ts'
import type { Place, Session } from './session.ts'
import type { Turn } from './turn.ts'
import type { Upkeep } from './upkeep.ts'

// The session is read only by default: reads need no transaction of their own to be safe.
const begin = 'begin read write'

/** One service's share of the session in this process. */
export const embedded = (session: Session, turn: Turn, at: Place, upkeep: Upkeep): Reached => {
  const takeTurn = async (): Promise<void> => {
    await turn.take()
    try {
      session.enter(at)
    } catch (error) {
      turn.give()
      throw error
    }
  }

  const take = async (): Promise<Channel> => {
    await takeTurn()
    let open = false
    return {
      // Not async functions: what is handed over has run when they return.
      send: (statements, phase) => {
        try {
          if (phase.begin) open = true
          const rows = session.run(statements, phase.begin ? begin : undefined)
          if (phase.commit) {
            open = false
            const { done } = session.simple('commit')
            if (done[0]?.command !== 'COMMIT')
              throw new SqlError('the transaction was rolled back', {
                sqlState: '25P02',
                outcome: 'rolled-back',
              })
            upkeep.worked()
          }
          return Promise.resolve(rows)
        } catch (error) {
          return Promise.reject(error as Error)
        }
      },
      rollback: () => {
        try {
          if (open) session.simple('rollback')
        } catch {
          // The database has crashed: nothing was committed.
        }
        open = false
        return Promise.resolve()
      },
      release: () => turn.give(),
    }
  }

  const alone = async <T>(run: () => T): Promise<T> => {
    await takeTurn()
    try {
      return run()
    } finally {
      turn.give()
    }
  }

  return {
    take,
    read: (statement) => alone(() => session.run([statement])),
    script: (text) =>
      alone(() => {
        try {
          session.simple(begin)
          session.simple(text)
          session.simple('commit')
        } catch (error) {
          session.simple('rollback')
          throw error
        } finally {
          session.forgetPrepared()
        }
      }),
  }
}

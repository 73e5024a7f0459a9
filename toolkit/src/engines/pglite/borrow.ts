import { createConnection, type Socket } from 'node:net'
import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import { GuardFailed, SqlError, type SqlRow } from '../sql/database.ts'
import type { Channel, Statement } from '../sql/transaction.ts'
import { frame, frameReader } from './frames.ts'
import { tooLarge, toSend, version, Word, type Ask } from './messages.ts'
import { checkName, perService, type Reach, type Reached } from './reached.ts'

/** Longer than a turn is waited for: a lender that says nothing for so long, where an answer is due, is given up. */
const silentMs = 15_000
/** How long `close` waits for what is under way. */
const patienceMs = 5_000

/** The lender ended before it carried this out: it may be run again at the next one. */
export class LenderGone extends SqlError {
  constructor(cause?: unknown) {
    super('the process that lent its database has ended', {
      sqlState: '',
      outcome: 'rolled-back',
      cause,
    })
  }
}

const unknown = (cause: unknown) =>
  new SqlError('the process that lent its database ended in a commit', {
    sqlState: '',
    outcome: 'unknown',
    cause,
  })

export const closed = () =>
  new SqlError('the database is closed', { sqlState: '57P01', outcome: 'rolled-back' })

interface Asked {
  readonly ask: Ask
  readonly statements: readonly Statement[]
  resolve(rows: readonly SqlRow[]): void
  reject(error: unknown): void
}

type Without<T> = T extends unknown ? Omit<T, 'n'> : never

export interface BorrowOptions {
  readonly path: string
  readonly env: Env
  /** How long the lender may take for its first word. */
  readonly withinMs: number
  /** Told, once, when the lender takes nothing new. */
  readonly gone: () => void
}

const connected = ({ path, env, withinMs }: BorrowOptions, hear: (word: Word) => void) =>
  new Promise<Socket>((resolve, reject) => {
    const socket = createConnection({ path })
    const forget = env.after(withinMs, () =>
      socket.destroy(new Error(`it said nothing in ${withinMs} ms`)),
    )
    const read = frameReader((message) => {
      const word = Word.parse(message)
      if (!('version' in word)) return hear(word)
      forget()
      if (word.version === version) return resolve(socket)
      reject(
        failure(
          'cannot-start',
          'the process that lends its database is of another release: end the fleet and start it again',
        ),
      )
      socket.destroy()
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        read(chunk)
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)))
      }
    })
    let cause: unknown
    socket.on('error', (error) => (cause = error))
    socket.once('close', () => {
      forget()
      reject(new LenderGone(cause))
    })
  })

/** Reaches the database of the process that lends it. Rejects with LenderGone when there is none. */
export const borrow = async (options: BorrowOptions): Promise<Reach> => {
  const { env } = options
  const asked = new Map<number, Asked>()
  let numbers = 0
  let state: 'lent' | 'leaving' | 'lost' | 'closed' = 'lent'
  let forgetSilence: (() => void) | undefined
  let idle: () => void = () => undefined

  /** Anything the lender says shows that it goes on. */
  const watch = () => {
    forgetSilence?.()
    forgetSilence = undefined
    if (asked.size === 0) return idle()
    forgetSilence = env.after(silentMs, () => {
      // A migration takes as long as it takes, and nobody is answered meanwhile.
      if ([...asked.values()].some(({ ask }) => ask.do === 'script')) return watch()
      socket.destroy()
    })
  }

  const leave = (next: 'leaving' | 'lost') => {
    const before = state
    if (state !== 'closed') state = next
    if (before === 'lent') options.gone()
  }

  const settle = (word: Exclude<Word, { version: number } | { leaving: true }>) => {
    const one = asked.get(word.n)
    asked.delete(word.n)
    if ('rows' in word) one?.resolve(word.rows)
    else if ('guard' in word)
      one?.reject(new GuardFailed(one.statements[word.guard]?.guard?.otherwise ?? 'again'))
    // It is closing its database and has not begun with this.
    else if (word.error.sqlState === '57P01') one?.reject(new LenderGone())
    else one?.reject(new SqlError(word.error.message, word.error))
    watch()
  }

  const socket = await connected(options, (word) => {
    if ('n' in word) settle(word)
    else leave('leaving')
  })
  const lost = () => {
    leave('lost')
    for (const { ask, reject } of asked.values())
      reject(
        ask.do === 'script' || (ask.do === 'send' && ask.commit)
          ? unknown(undefined)
          : new LenderGone(),
      )
    asked.clear()
    watch()
  }
  socket.once('close', lost)
  if (socket.destroyed) lost()

  const say = (without: Without<Ask>, statements: readonly Statement[] = []) =>
    new Promise<readonly SqlRow[]>((resolve, reject) => {
      if (state === 'closed') return reject(closed())
      const goesOn = without.do === 'rollback' || (without.do === 'send' && !without.begin)
      if (state === 'lost' || (state === 'leaving' && !goesOn)) return reject(new LenderGone())
      const ask: Ask = { ...without, n: (numbers += 1) }
      const bytes = frame(ask)
      if (bytes === undefined) return reject(tooLarge())
      asked.set(ask.n, { ask, statements, resolve, reject })
      if (asked.size === 1) watch()
      socket.write(bytes)
    })

  const channel = (service: string): Channel => {
    const transaction = (numbers += 1)
    let open = false
    return {
      send: async (statements, { begin, commit }) => {
        open = true
        try {
          const asking = { do: 'send', service, transaction, begin, commit } as const
          const rows = await say({ ...asking, statements: statements.map(toSend) }, statements)
          if (commit) open = false
          return rows
        } catch (error) {
          // The lender rolls back what fails, unless it was not told of it.
          open = error instanceof SqlError && error.sqlState === '54000'
          throw error
        }
      },
      rollback: async () => {
        if (open) await say({ do: 'rollback', transaction }).catch(() => undefined)
        open = false
      },
      release: () => undefined,
    }
  }

  const open = async (service: string): Promise<Reached> => {
    checkName(service)
    await say({ do: 'open', service })
    return {
      take: () => Promise.resolve(channel(service)),
      read: (statement) => say({ do: 'read', service, statement: toSend(statement) }),
      script: async (text) => void (await say({ do: 'script', service, text })),
    }
  }

  return {
    of: perService(open),
    close: async () => {
      state = 'closed'
      if (asked.size > 0)
        await new Promise<void>((resolve) => {
          const forget = env.after(patienceMs, resolve)
          idle = () => {
            forget()
            resolve()
          }
        })
      socket.destroy()
    },
  }
}

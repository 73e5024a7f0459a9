import { createConnection, type Socket } from 'node:net'
import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import { GuardFailed, SqlError, type SqlRow } from '../sql/database.ts'
import type { Channel, Statement } from '../sql/transaction.ts'
import { frame, frameReader } from './frames.ts'
import { tooLarge, toSend, version, Word, type Ask } from './messages.ts'
import { checkName, perService, type Reach, type Reached } from './reached.ts'
import { DatabaseClosed } from './turn.ts'

/** Less than calls are waited for: who asks a lender that says nothing for so long is told, and so is who asks it then. */
const quietMs = 4_000
/** Longer than a turn is waited for: after that, nobody waits for what a commit came to. */
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

/** It hangs, or others keep it busy; it may go on. */
export class LenderQuiet extends SqlError {
  constructor(pid: number) {
    super(`process ${pid}, which lends its database, has not answered for ${quietMs / 1_000} s`, {
      sqlState: '',
      outcome: 'rolled-back',
    })
  }
}

const unknown = (what: string) =>
  new SqlError(`the process that lent its database ${what} in a commit`, {
    sqlState: '',
    outcome: 'unknown',
  })

interface Asked {
  readonly ask: Ask
  readonly statements: readonly Statement[]
  resolve(rows: readonly SqlRow[]): void
  reject(error: unknown): void
}

type Without<T> = T extends unknown ? Omit<T, 'n'> : never

export interface BorrowOptions {
  readonly path: string
  /** The lender's process, for messages. */
  readonly pid: number
  readonly env: Env
  /** How long the lender may take for its first word. */
  readonly withinMs: number
  /** Told, once, when the lender takes nothing new. */
  readonly gone: () => void
}

const greeted = (
  socket: Socket,
  { env, withinMs }: BorrowOptions,
  hear: (word: Word) => void,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const forget = env.after(withinMs, () =>
      socket.destroy(new Error(`it said nothing in ${withinMs} ms`)),
    )
    const read = frameReader((message) => {
      const word = Word.parse(message)
      if (!('version' in word)) return hear(word)
      forget()
      if (word.version === version) return resolve()
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
  /** Transactions that are not over. */
  const begun = new Set<number>()
  let numbers = 0
  let state: 'lent' | 'leaving' | 'lost' | 'closed' = 'lent'
  let quiet = false
  let forgetSilence: (() => void) | undefined
  let idle: () => void = () => undefined
  const socket = createConnection({ path: options.path })

  /** A lender that leaves waits for that. */
  const part = () => {
    if (state === 'leaving' && asked.size === 0 && begun.size === 0) socket.destroy()
  }

  const rejectAll = (which: (ask: Ask) => boolean, error: () => SqlError) => {
    for (const [n, { ask, reject }] of asked) if (which(ask) && asked.delete(n)) reject(error())
  }

  /** Whether it may have run, or will. A query that nobody waited for fails before its commit does, and would speak for both. */
  const inDoubt = () => {
    const committing = new Set(
      [...asked.values()].flatMap(({ ask }) =>
        ask.do === 'send' && ask.commit ? [ask.transaction] : [],
      ),
    )
    return (ask: Ask) =>
      ask.do === 'script' || ('transaction' in ask && committing.has(ask.transaction))
  }

  const settled = () => {
    if (asked.size > 0) return
    part()
    idle()
  }

  /** What is on its way to a lender that says nothing is not taken back: it must be of no effect, or of an unknown one. */
  const hush = () => {
    const doubted = inDoubt()
    quiet = true
    rejectAll(
      (ask) => !doubted(ask),
      () => new LenderQuiet(options.pid),
    )
    settled()
    forgetSilence = env.after(silentMs - quietMs, () => {
      rejectAll(
        () => true,
        () => unknown('has not answered'),
      )
      settled()
    })
  }

  /** Anything the lender says shows that it goes on. */
  const watch = () => {
    forgetSilence?.()
    forgetSilence = undefined
    quiet = false
    if (asked.size === 0) return settled()
    forgetSilence = env.after(quietMs, () => {
      // A migration takes as long as it takes, and nobody is answered meanwhile.
      if ([...asked.values()].some(({ ask }) => ask.do === 'script')) watch()
      else hush()
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
    else if ('closed' in word) one?.reject(new LenderGone())
    else one?.reject(new SqlError(word.error.message, word.error))
    watch()
  }

  await greeted(socket, options, (word) => {
    if ('n' in word) return settle(word)
    leave('leaving')
    part()
  })
  const lost = () => {
    leave('lost')
    rejectAll(inDoubt(), () => unknown('ended'))
    rejectAll(
      () => true,
      () => new LenderGone(),
    )
    watch()
  }
  socket.once('close', lost)
  if (socket.destroyed) lost()

  const say = (without: Without<Ask>, statements: readonly Statement[] = []) =>
    new Promise<readonly SqlRow[]>((resolve, reject) => {
      if (state === 'closed') return reject(new DatabaseClosed())
      const goesOn = without.do === 'rollback' || (without.do === 'send' && !without.begin)
      if (state === 'lost' || (state === 'leaving' && !goesOn)) return reject(new LenderGone())
      if (quiet && without.do !== 'rollback') return reject(new LenderQuiet(options.pid))
      const ask: Ask = { ...without, n: (numbers += 1) }
      const bytes = frame(ask)
      if (bytes === undefined) return reject(tooLarge())
      socket.write(bytes)
      // A rollback needs no answer.
      if (quiet) return resolve([])
      asked.set(ask.n, { ask, statements, resolve, reject })
      if (asked.size === 1) watch()
    })

  const channel = (service: string): Channel => {
    const transaction = (numbers += 1)
    let open = false
    return {
      send: async (statements, { begin, commit }) => {
        open = true
        begun.add(transaction)
        try {
          const asking = { do: 'send', service, transaction, begin, commit } as const
          const rows = await say({ ...asking, statements: statements.map(toSend) }, statements)
          if (commit) open = false
          return rows
        } catch (error) {
          // The lender rolls back what fails, unless it was not told of it.
          open =
            error instanceof LenderQuiet ||
            (error instanceof SqlError && error.sqlState === '54000')
          throw error
        }
      },
      rollback: async () => {
        if (open) await say({ do: 'rollback', transaction }).catch(() => undefined)
        open = false
      },
      release: () => {
        begun.delete(transaction)
        part()
      },
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

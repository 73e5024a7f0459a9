import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import { SqlError } from '../sql/database.ts'
import type { Channel } from '../sql/transaction.ts'
import { frame, frameReader } from './frames.ts'
import { Ask, failed, received, tooLarge, version, type Word } from './messages.ts'
import type { Reach } from './reached.ts'

/** As a server's idle_in_transaction_session_timeout: a borrower that stopped holds up nobody for longer. */
const idleMs = 5_000
/** How long borrowers are waited for in the end: each parts when nothing of its is under way. */
const patienceMs = 5_000

const ignore = () => undefined

const rolledBack = () =>
  new SqlError(`the transaction paused for more than ${idleMs} ms and was rolled back`, {
    sqlState: '25P03',
    outcome: 'rolled-back',
  })

type Send = Extract<Ask, { do: 'send' }>
type Say = (word: Word) => void

/** A borrower's transaction: its asks in order, each with its answer before the session is given back. */
class LentTransaction {
  readonly #channel: Promise<Channel>
  readonly #env: Env
  readonly #forget: () => void
  #queue: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #over = false
  #cancel: () => void = ignore

  constructor(channel: Promise<Channel>, env: Env, forget: () => void) {
    this.#channel = channel
    this.#env = env
    this.#forget = forget
  }

  send(ask: Send, say: Say): void {
    this.#cancel()
    this.#waiting += 1
    this.#queue = this.#queue.then(() => this.#run(ask, say))
  }

  async #run({ n, statements, begin, commit }: Send, say: Say): Promise<void> {
    let last = commit
    try {
      const channel = await this.#channel
      if (this.#over) throw rolledBack()
      const rows = await channel.send(statements.map(received), { begin, commit })
      // Nobody asks for the rows of a commit.
      say({ n, rows: commit ? [] : rows.slice() })
    } catch (error) {
      last = true
      say(failed(n, error))
    }
    this.#waiting -= 1
    if (last) await this.end()
    else if (this.#waiting === 0 && !this.#over)
      this.#cancel = this.#env.after(idleMs, () => void this.end())
  }

  /** Rolls back what is open. */
  async end(): Promise<void> {
    if (this.#over) return
    this.#over = true
    this.#cancel()
    this.#forget()
    const channel = await this.#channel.catch(ignore)
    await channel?.rollback()
    channel?.release()
  }
}

const attend = (socket: Socket, { of }: Reach, env: Env) => {
  const transactions = new Map<number, LentTransaction>()

  const say: Say = (word) => {
    if (socket.destroyed) return
    const bytes = frame(word) ?? ('n' in word ? frame(failed(word.n, tooLarge())) : undefined)
    // Whoever does not take its answers is not heard either.
    if (bytes && !socket.write(bytes)) socket.pause()
  }

  const answer = async (
    n: number,
    run: () => Promise<Extract<Word, { rows: unknown }>['rows']>,
  ) => {
    try {
      say({ n, rows: await run() })
    } catch (error) {
      say(failed(n, error))
    }
  }

  const hear = (ask: Ask): void => {
    switch (ask.do) {
      case 'open':
        return void answer(ask.n, async () => {
          await of(ask.service)
          return []
        })
      case 'read':
        return void answer(ask.n, async () =>
          (await (await of(ask.service)).read(received(ask.statement))).slice(),
        )
      case 'script':
        return void answer(ask.n, async () => {
          await (await of(ask.service)).script(ask.text)
          return []
        })
      case 'send': {
        let lent = transactions.get(ask.transaction)
        if (lent === undefined) {
          if (!ask.begin) return say(failed(ask.n, rolledBack()))
          const channel = of(ask.service).then((reached) => reached.take())
          lent = new LentTransaction(channel, env, () => transactions.delete(ask.transaction))
          transactions.set(ask.transaction, lent)
        }
        return lent.send(ask, say)
      }
      case 'rollback':
        return void answer(ask.n, async () => {
          await transactions.get(ask.transaction)?.end()
          return []
        })
    }
  }

  const read = frameReader((message) => hear(Ask.parse(message)))
  socket.on('data', (chunk: Buffer) => {
    try {
      read(chunk)
    } catch {
      // It does not speak our language: it is told nothing.
      socket.destroy()
    }
  })
  socket.on('drain', () => socket.resume())
  socket.on('error', ignore)
  socket.once('close', () => {
    for (const lent of [...transactions.values()]) void lent.end()
  })
  say({ version })
  return say
}

export interface Lending {
  /** Borrows no more: who holds a transaction may end it, and is told to look elsewhere for the next one. */
  leave(): void
  /** Resolves when the borrowers have parted. After the end of the database, what they still ask for is answered as not run. */
  close(): Promise<void>
}

/** Lends the database over a socket that only this user can open. */
export const lend = async (path: string, reach: Reach, env: Env): Promise<Lending> => {
  const folder = dirname(path)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { mode: 0o700 })
  const borrowers = new Map<Socket, Say>()
  const server = createServer((socket) => {
    borrowers.set(socket, attend(socket, reach, env))
    socket.once('close', () => borrowers.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(
        failure('cannot-start', `the database cannot be lent at ${path}: ${cause.message}`, {
          cause,
        }),
      )
    server.once('error', fail)
    // Exclusive: Bun (1.4.5) takes a listener for a cluster's share in an edge that shares its port.
    server.listen({ path, exclusive: true }, () => {
      server.off('error', fail)
      resolve()
    })
  })
  server.on('error', ignore)
  chmodSync(path, 0o600)
  return {
    leave: () => {
      server.close()
      rmSync(folder, { recursive: true, force: true })
      for (const say of borrowers.values()) say({ leaving: true })
    },
    close: async () => {
      const ended = [...borrowers.keys()].map(
        (socket) => new Promise<unknown>((resolve) => void socket.once('close', resolve)),
      )
      const forget = env.after(patienceMs, () => {
        for (const socket of borrowers.keys()) socket.destroy()
      })
      await Promise.all(ended)
      forget()
    },
  }
}

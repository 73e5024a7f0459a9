import { hostname } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { z } from 'zod'
import type { Env } from '../../base/env.ts'
import { failure, ServalError } from '../../base/failure.ts'
import { SqlError, type SqlServer } from '../sql/database.ts'
import { borrow, LenderGone, LenderQuiet } from './borrow.ts'
import { lentFolder } from './folder.ts'
import { lend } from './lend.ts'
import type { FolderHolder } from './lock.ts'
import { checkName, databaseOn, perService, type Reach, type Reached } from './reached.ts'
import { running } from './running.ts'
import { startDatabase } from './start.ts'
import { DatabaseClosed } from './turn.ts'

/** How long a lender is waited for: one may be making a new database, or opening that of a lender that ended. */
const patienceMs = 30_000
const pauseMs = 25

/** What every system takes for a socket's path (sun_path of unix(7) has 108 bytes on Linux, 104 elsewhere). */
const longestPath = 103

const socketIn = (folder: string): string => {
  const path = join(resolve(folder), lentFolder, 'socket')
  const [shorter = path] = [path, relative(process.cwd(), path)].toSorted(
    (a, b) => Buffer.byteLength(a) - Buffer.byteLength(b),
  )
  const over = Buffer.byteLength(shorter) - longestPath
  if (over > 0)
    throw failure(
      'cannot-start',
      `the path of the data folder ${folder} is ${over} bytes too long: a database that processes share has a socket there, whose path has at most ${longestPath} bytes`,
    )
  return shorter
}

const Lender: z.ZodType<FolderHolder> = z.object({
  pid: z.int(),
  host: z.literal(hostname()),
  lends: z.literal(true),
})

/** Whoever starts may try again. */
const away = (cause: LenderQuiet) => failure('store-unavailable', undefined, { cause })

const lenderIn = (error: unknown): FolderHolder | undefined =>
  error instanceof ServalError ? Lender.safeParse(error.data).data : undefined

/*
 * A folder that several processes use. Whoever gets its lock opens the database and lends it; whoever does not, borrows it. When the lender ends,
 * also by SIGKILL, the others find their connections closed and try again; one of them gets the lock. What the lender had not begun, or surely
 * rolled back, is run again at the next one; only a commit that was on its way when a lender was killed, or gave up waiting for a borrower that had
 * stopped, has an unknown outcome.
 */
export const sharedDatabase = (folder: string, env: Env): SqlServer => {
  let here: Promise<Reach> | undefined
  let over: Promise<unknown> | undefined

  const lending = async (path: string): Promise<Reach> => {
    const started = await startDatabase(folder, { lends: true })
    const own = running(started, env)
    try {
      const lent = await lend(path, own, env)
      return {
        of: own.of,
        close: async () => {
          lent.leave()
          // This gives up the lock: borrowers wait for the next lender.
          await own.close()
          await lent.close()
        },
      }
    } catch (error) {
      await own.close()
      throw error
    }
  }

  const reach = async (gone: () => void): Promise<Reach> => {
    const path = socketIn(folder)
    for (const until = env.now() + patienceMs; ; await env.sleep(pauseMs)) {
      if (over !== undefined) throw new DatabaseClosed()
      let lender: FolderHolder | undefined
      try {
        return await lending(path)
      } catch (error) {
        lender = lenderIn(error)
        if (lender === undefined) throw error
      }
      try {
        const withinMs = Math.max(1, until - env.now())
        return await borrow({ path, pid: lender.pid, env, gone, withinMs })
      } catch (cause) {
        if (!(cause instanceof LenderGone)) throw cause
        if (env.now() >= until)
          throw failure(
            'store-unavailable',
            `the database in ${folder} is lent by process ${lender.pid}, which has not answered for ${patienceMs / 1_000} s`,
            { cause },
          )
      }
    }
  }

  const current = (): Promise<Reach> => {
    if (over !== undefined) return Promise.reject(new DatabaseClosed())
    if (here) return here
    const forget = () => {
      if (here === made) here = undefined
    }
    const made = reach(forget)
    here = made
    made.catch(forget)
    return made
  }

  /** Runs it again where the lender ended before it was carried out. */
  const goingOn = async <T>(run: () => Promise<T>): Promise<T> => {
    for (;;)
      try {
        return await run()
      } catch (error) {
        if (!(error instanceof LenderGone)) throw error
      }
  }

  /** A migration takes as long as it takes, also while others keep the lender busy. */
  const waiting = async <T>(run: () => Promise<T>): Promise<T> => {
    for (;;)
      try {
        return await run()
      } catch (error) {
        if (!(error instanceof LenderQuiet)) throw error
        await env.sleep(pauseMs)
      }
  }

  const reachFirst = async (service: string): Promise<void> => {
    try {
      await goingOn(async () => (await current()).of(service))
    } catch (cause) {
      if (!(cause instanceof SqlError)) throw cause
      if (cause instanceof LenderQuiet) throw away(cause)
      throw failure('cannot-start', `the database in ${folder}: ${cause.message}`, { cause })
    }
  }

  const share = (service: string): Reached => {
    const own = async (): Promise<Reached> => {
      try {
        return await (await current()).of(service)
      } catch (cause) {
        if (cause instanceof SqlError) throw cause
        throw new SqlError('the database that several processes share cannot be reached', {
          sqlState: '',
          outcome: 'rolled-back',
          cause,
        })
      }
    }
    return {
      take: () => goingOn(async () => (await own()).take()),
      read: async (statement) => {
        try {
          return await goingOn(async () => (await own()).read(statement))
        } catch (error) {
          throw error instanceof LenderQuiet ? away(error) : error
        }
      },
      script: (text) => waiting(() => goingOn(async () => (await own()).script(text))),
    }
  }

  return {
    exclusive: false,
    name: `pglite ${folder}, shared`,
    open: perService(async (service) => {
      checkName(service)
      await reachFirst(service)
      const { transaction, ...others } = databaseOn(share(service))
      return { ...others, transaction: (work) => goingOn(() => transaction(work)) }
    }),
    close: async () => {
      // Once: after the first, the socket may be another lender's.
      over ??= Promise.resolve(
        here?.then(
          (reached) => reached.close(),
          () => undefined,
        ),
      )
      await over
    },
  }
}

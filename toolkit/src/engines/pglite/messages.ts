import { z } from 'zod'
import { GuardFailed, SqlError, type SqlRow, type SqlValue } from '../sql/database.ts'
import type { Statement } from '../sql/transaction.ts'
import { DatabaseClosed } from './turn.ts'

/** To be raised with every change of what follows: a process of another release is not borrowed from. */
export const version = 2

const Text = z.object({
  text: z.string(),
  values: z.array(z.custom<SqlValue>()),
  /** Rows that it must change. */
  guard: z.int().optional(),
})

const n = z.int()
const service = z.string()

/** What a borrower asks for. Each is answered once, under its number. */
export const Ask = z.discriminatedUnion('do', [
  z.object({ do: z.literal('open'), n, service }),
  z.object({ do: z.literal('read'), n, service, statement: Text }),
  z.object({ do: z.literal('script'), n, service, text: z.string() }),
  z.object({
    do: z.literal('send'),
    n,
    service,
    /** The borrower's number for it. */
    transaction: z.int(),
    statements: z.array(Text),
    begin: z.boolean(),
    commit: z.boolean(),
  }),
  z.object({ do: z.literal('rollback'), n, transaction: z.int() }),
])
export type Ask = z.output<typeof Ask>

/** What the lender says: first its version, then answers, and that it will end. */
export const Word = z.union([
  z.object({ n, rows: z.array(z.custom<SqlRow>()) }),
  /** The guard of this statement failed. */
  z.object({ n, guard: z.int() }),
  /** The database was closed before this began. */
  z.object({ n, closed: z.literal(true) }),
  z.object({
    n,
    error: z.object({
      message: z.string(),
      sqlState: z.string(),
      constraint: z.string().optional(),
      outcome: z.enum(['rolled-back', 'unknown']),
    }),
  }),
  z.object({ version: z.int() }),
  z.object({ leaving: z.literal(true) }),
])
export type Word = z.output<typeof Word>

export const toSend = ({ text, values, guard }: Statement): z.input<typeof Text> => ({
  text,
  values: [...values],
  ...(guard && { guard: guard.rows }),
})

/** A guard's failure stays with the borrower: it is known by the place of its statement. */
export const received = ({ text, values, guard }: z.output<typeof Text>, index = 0): Statement => ({
  text,
  values,
  guard: guard === undefined ? undefined : { rows: guard, otherwise: String(index) },
})

/** How an ask failed, for its answer. */
export const failed = (number: number, error: unknown): Word => {
  if (error instanceof GuardFailed) return { n: number, guard: Number(error.otherwise) }
  if (error instanceof DatabaseClosed) return { n: number, closed: true }
  if (!(error instanceof SqlError))
    return {
      n: number,
      error: { message: String(error), sqlState: '08P01', outcome: 'rolled-back' },
    }
  const { message, sqlState, constraint, outcome } = error
  return {
    n: number,
    error: { message, sqlState, outcome, ...(constraint !== undefined && { constraint }) },
  }
}

export const tooLarge = () =>
  new SqlError('a message to or from the process that lends its database has more than 64 MiB', {
    sqlState: '54000',
    outcome: 'rolled-back',
  })

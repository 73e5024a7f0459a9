import { SqlError, type SqlRow } from './database.ts'
import { parserOf } from './values.ts'

/*
 * The part of PostgreSQL's protocol 3.0 ("Message Formats" in its manual) that carries statements, for every engine that speaks it. Messages of
 * our own let statements stay prepared, and a whole transaction be one exchange: PGlite's query() parses each text anew and calls into
 * WebAssembly six times for it, and the drivers of the server write, read and promise once for each statement.
 */

export interface Requests {
  /** Names a statement and asks for the types of its parameters and columns. */
  prepare(name: string, text: string): void
  execute(name: string, values: readonly (string | null)[]): void
  forget(name: string): void
  /** One or more statements without parameters. */
  simple(text: string): void
  /** Ends a series: after an error, the rest of the series is skipped. */
  sync(): void
  /** What was written; valid until the next message is. */
  take(): Uint8Array
}

const usual = 16 * 1024
/** What is larger is not kept for the next message. */
const kept = 1024 * 1024

export const requests = (): Requests => {
  let bytes = Buffer.allocUnsafe(usual)
  let at = 0
  let start = 0

  const reserve = (size: number) => {
    if (at + size <= bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, at + size))
    bytes.copy(larger, 0, 0, at)
    bytes = larger
  }
  const open = (type: string) => {
    reserve(64)
    bytes[at] = type.charCodeAt(0)
    start = at + 1
    at += 5
  }
  const close = () => void bytes.writeInt32BE(at - start, start)
  const int16 = (value: number) => void (at = bytes.writeUInt16BE(value, at))
  const text = (value: string) => {
    reserve(value.length * 3 + 64)
    at += bytes.write(value, at)
  }
  const cstring = (value: string) => {
    text(value)
    bytes[at] = 0
    at += 1
  }

  return {
    prepare: (name, query) => {
      open('P')
      cstring(name)
      cstring(query)
      int16(0)
      close()
      open('D')
      text('S')
      cstring(name)
      close()
    },
    execute: (name, values) => {
      open('B')
      cstring('')
      cstring(name)
      // No format codes: parameters and columns are text.
      int16(0)
      int16(values.length)
      for (const value of values) {
        reserve(64)
        const length = at
        at += 4
        if (value !== null) text(value)
        bytes.writeInt32BE(value === null ? -1 : at - length - 4, length)
      }
      int16(0)
      close()
      open('E')
      cstring('')
      at = bytes.writeInt32BE(0, at)
      close()
    },
    forget: (name) => {
      open('C')
      text('S')
      cstring(name)
      close()
    },
    simple: (query) => {
      open('Q')
      cstring(query)
      close()
    },
    sync: () => {
      open('S')
      close()
    },
    take: () => {
      const taken = bytes.subarray(0, at)
      at = 0
      if (bytes.length > kept) bytes = Buffer.allocUnsafe(usual)
      return taken
    },
  }
}

/** A statement that a session keeps prepared. */
export interface Prepared {
  readonly name: string
  readonly parameters: readonly number[]
  readonly columns: readonly Column[]
}

/** Statements kept prepared in a session; more texts than this means that somebody builds them from values. */
export const preparedLimit = 500

export interface Column {
  readonly name: string
  readonly parse: ((text: string) => unknown) | undefined
}

/** What one statement was answered. */
export interface Reply {
  /** Such as `UPDATE`, with the number of rows in `count`. */
  command: string
  count: number
  /** The fields of each row, undecoded: the columns of a prepared statement are known to its owner. */
  rows: SqlRow[]
}

export interface Replies {
  readonly parameters: number[] | undefined
  readonly columns: readonly Column[] | undefined
  /** One for each statement that was carried out. */
  readonly done: Reply[]
  readonly error: SqlError | undefined
  /** The statement that failed must be prepared anew: a migration changed what its plan was made for. */
  readonly stale: boolean
  /** A transaction is open behind it. */
  readonly inTransaction: boolean
}

const zero = (bytes: Buffer, from: number) => bytes.indexOf(0, from)

const parseColumns = (bytes: Buffer, from: number): Column[] => {
  const count = bytes.readUInt16BE(from)
  let at = from + 2
  return Array.from({ length: count }, () => {
    const end = zero(bytes, at)
    const name = bytes.toString('utf8', at, end)
    at = end + 19
    return { name, parse: parserOf(bytes.readUInt32BE(end + 7)) }
  })
}

const parseRow = (bytes: Buffer, from: number, columns: readonly Column[]): SqlRow => {
  const row: Record<string, unknown> = {}
  let at = from + 2
  for (const { name, parse } of columns) {
    const length = bytes.readInt32BE(at)
    at += 4
    if (length < 0) row[name] = null
    else {
      const value = bytes.toString('utf8', at, at + length)
      row[name] = parse ? parse(value) : value
      at += length
    }
  }
  return row
}

const parseFields = (bytes: Buffer, from: number): Readonly<Record<string, string>> => {
  const fields: Record<string, string> = {}
  for (let at = from; bytes[at] !== 0;) {
    const end = zero(bytes, at)
    fields[String.fromCharCode(bytes[at]!)] = bytes.toString('utf8', at + 1, end)
    at = end + 1
  }
  return fields
}

const isStale = ({ R: routine, C: state }: Readonly<Record<string, string>>): boolean =>
  (routine === 'RevalidateCachedQuery' && state === '0A000') || routine === 'FetchPreparedStatement'

const idle = 'I'.charCodeAt(0)

/** Reads the answers to a series. `columnsOf(i)` are those of the i-th prepared statement executed in it. */
export const parseReplies = (
  bytes: Buffer,
  columnsOf: (index: number) => readonly Column[],
): Replies => {
  const done: Reply[] = []
  let rows: SqlRow[] = []
  let parameters: number[] | undefined
  let columns: Column[] | undefined
  let error: SqlError | undefined
  let stale = false
  let inTransaction = false
  for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 1) + 1) {
    const from = at + 5
    switch (String.fromCharCode(bytes[at]!)) {
      case 'D':
        try {
          rows.push(parseRow(bytes, from, columns ?? columnsOf(done.length)))
        } catch (thrown) {
          error ??= thrown as SqlError
        }
        break
      case 'C': {
        const tag = bytes.toString('latin1', from, zero(bytes, from))
        const count = Number(tag.slice(tag.lastIndexOf(' ') + 1))
        done.push({ command: tag.split(' ', 1)[0]!, count: Number.isNaN(count) ? 0 : count, rows })
        rows = []
        break
      }
      case 'I':
        done.push({ command: '', count: 0, rows: [] })
        break
      case 't':
        parameters = Array.from({ length: bytes.readUInt16BE(from) }, (_, i) =>
          bytes.readUInt32BE(from + 2 + 4 * i),
        )
        break
      case 'T':
        columns = parseColumns(bytes, from)
        break
      case 'E': {
        const fields = parseFields(bytes, from)
        stale ||= isStale(fields)
        error ??= new SqlError(fields['M'] ?? 'unknown error', {
          // It is prepared anew when the transaction runs again.
          sqlState: stale ? '40001' : (fields['C'] ?? 'XX000'),
          constraint: fields['n'],
          outcome: 'rolled-back',
          cause: fields,
        })
        break
      }
      case 'Z':
        inTransaction = bytes[from] !== idle
        break
    }
  }
  return { parameters, columns, done, error, stale, inTransaction }
}

import { SqlError, type SqlValue } from './database.ts'

/**
 * The port's type table in PostgreSQL's text format, for every engine: a parser and a serializer by
 * the type's OID, which the server tells for each parameter and column. A serializer passes strings
 * on and never throws (a driver that has begun to write a message could not take it back): what does
 * not fit becomes a text that the server refuses.
 */
export interface SqlType {
  readonly oids: readonly number[]
  readonly parse: (text: string) => unknown
  readonly serialize: (value: SqlValue) => string
}

const outOfRange = (message: string) =>
  new SqlError(message, { sqlState: '22003', outcome: 'rolled-back' })

const whole = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw outOfRange(`bigint ${text} is beyond 2^53-1`)
  return value
}

const bigint = (value: SqlValue): string =>
  typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER
    ? `${value} is beyond 2^53-1`
    : String(value)

/** `2024-02-29 12:34:56.789123+00`: the session's zone is UTC; digits below milliseconds are cut. */
const instant = (text: string): number => {
  if (text.endsWith('infinity')) return text.startsWith('-') ? -Infinity : Infinity
  const part = (from: number, to: number) => Number(text.slice(from, to))
  if (text.charCodeAt(4) !== 45 || !text.endsWith('+00'))
    throw outOfRange(`timestamptz ${text} is outside the years 0 to 9999`)
  const ms = text.length > 22 ? Number((text.slice(20, -3) + '00').slice(0, 3)) : 0
  const time = Date.UTC(
    part(0, 4), part(5, 7) - 1, part(8, 10), part(11, 13), part(14, 16), part(17, 19), ms) // prettier-ignore
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  return text.startsWith('00') ? new Date(time).setUTCFullYear(part(0, 4)) : time
}

const fromInstant = (value: SqlValue): string => {
  if (typeof value !== 'number') return String(value)
  if (Math.abs(value) === Infinity) return value > 0 ? 'infinity' : '-infinity'
  const date = new Date(value)
  return Number.isNaN(date.getTime()) ? `${value} is not a time` : date.toISOString()
}

const fromBytes = (value: SqlValue): string =>
  value instanceof Uint8Array
    ? '\\x' + Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
    : String(value)

// A copy, because a Buffer may be a view of a pool that others can read.
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.slice(2), 'hex'))

/** One dimension: `{a,"b \"c\"",NULL}`. */
const parseArray = (text: string, element: (text: string) => unknown): unknown[] => {
  const found: unknown[] = []
  let at = 1
  while (at < text.length - 1) {
    let item = ''
    if (text[at] === '"') {
      for (at += 1; text[at] !== '"'; at += 1) {
        if (text[at] === '\\') at += 1
        item += text[at]
      }
      at += 1
      found.push(element(item))
    } else {
      const end = text.indexOf(',', at)
      item = text.slice(at, end < 0 ? text.length - 1 : end)
      at += item.length
      found.push(item === 'NULL' ? null : element(item))
    }
    at += 1
  }
  return found
}

const special = /[\\"]/

const quoted = (text: string): string =>
  special.test(text) ? `"${text.replace(/[\\"]/g, '\\$&')}"` : `"${text}"`

const arrayOf =
  (element: (value: SqlValue) => string) =>
  (value: SqlValue): string =>
    Array.isArray(value)
      ? `{${value.map((item: SqlValue) => (item === null ? 'NULL' : quoted(element(item)))).join(',')}}`
      : String(value)

const text = (value: string) => value

export const sqlTypes: readonly SqlType[] = [
  { oids: [16], parse: (value) => value === 't', serialize: String },
  { oids: [17], parse: bytes, serialize: fromBytes },
  { oids: [20], parse: whole, serialize: bigint },
  { oids: [21, 23, 26, 700, 701], parse: Number, serialize: String },
  { oids: [114, 3802], parse: (value): unknown => JSON.parse(value), serialize: String },
  { oids: [1184], parse: instant, serialize: fromInstant },
  // Outside the table, so a string on every engine: dates without a zone, numeric, all else.
  { oids: [1082, 1114, 1700], parse: text, serialize: String },
  {
    oids: [1009, 1015, 2951],
    parse: (value) => parseArray(value, text),
    serialize: arrayOf(String),
  },
  {
    oids: [1005, 1007, 1022],
    parse: (value) => parseArray(value, Number),
    serialize: arrayOf(String),
  },
  { oids: [1016], parse: (value) => parseArray(value, whole), serialize: arrayOf(bigint) },
  // Arrays of booleans, bytes and JSON are only written.
  {
    oids: [1000],
    parse: (value) => parseArray(value, (item) => item === 't'),
    serialize: arrayOf(String),
  },
  { oids: [1001], parse: (value) => parseArray(value, bytes), serialize: arrayOf(fromBytes) },
  {
    oids: [199, 3807],
    parse: (value) => parseArray(value, (item): unknown => JSON.parse(item)),
    serialize: arrayOf(String),
  },
  { oids: [1185], parse: (value) => parseArray(value, instant), serialize: arrayOf(fromInstant) },
]

const byOid = new Map(sqlTypes.flatMap((type) => type.oids.map((oid) => [oid, type] as const)))

/** Undefined for a type that stays the string that the server sent. */
export const parserOf = (oid: number): ((text: string) => unknown) | undefined =>
  byOid.get(oid)?.parse

export const serialize = (oid: number, value: SqlValue): string | null =>
  value === null ? null : (byOid.get(oid)?.serialize ?? String)(value)

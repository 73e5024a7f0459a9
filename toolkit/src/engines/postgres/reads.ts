import { SqlError, type SqlColumn, type SqlRow, type SqlValue } from '../sql/database.ts'
import { serialize } from '../sql/values.ts'
import type { Statement } from '../sql/transaction.ts'

/*
 * Reads that are asked for at the same time, by one text with different values, become one statement: the text as a lateral subquery of the
 * values. It gives each reader its own rows. While such a statement runs, more readers gather for the next.
 */

/** What a statement answered, and the types of its parameters by OID. */
export interface Answer {
  readonly rows: readonly SqlRow[]
  readonly types: readonly number[]
}

const most = 32
/** How long readers gather, where several did so before: milliseconds. */
const lingerMs = 1
/** Statements that take longer than this, and than four times what all take of late, do not wait for each other, for so long. */
const quickMs = 25
const apartMs = 1_000

/** Types that an array can hold one of for each reader. */
const scalars = new Map([
  [16, 'boolean'],
  [20, 'bigint'],
  [21, 'smallint'],
  [23, 'integer'],
  [25, 'text'],
  [1184, 'timestamptz'],
  [2950, 'uuid'],
])
/** Arrays pass as their texts: there are no arrays of arrays of different lengths. */
const arrays = new Map([
  [1005, 'smallint[]'],
  [1007, 'integer[]'],
  [1009, 'text[]'],
  [1016, 'bigint[]'],
])

interface Many {
  readonly text: string
  /** The values of one parameter, for all readers. */
  column(index: number, values: readonly SqlValue[]): SqlColumn
}

/** A text for many readers, or null where it cannot be made: then each asks for itself. */
const forMany = (text: string, types: readonly number[]): Many | null => {
  const known = types.every((type) => scalars.has(type) || arrays.has(type))
  if (types.length === 0 || !known || /'[^']*\$|\$\$/.test(text)) return null
  const given = types.map((type, index) => `$${index + 1}::${scalars.get(type) ?? 'text'}[]`)
  const names = types.map((_, index) => `p${index + 1}`)
  const one = text
    .trim()
    .replace(/;$/, '')
    .replace(/\$(\d+)/g, (_, number: string) => {
      const array = arrays.get(types[Number(number) - 1] ?? 0)
      return array === undefined ? `serval.p${number}` : `(serval.p${number}::${array})`
    })
  return {
    text: `select serval.reader as serval_reader, found.* from unnest(${given.join(', ')}) with ordinality
    as serval (${names.join(', ')}, reader) cross join lateral (select * from (${one}) one offset 0) found`,
    column: (index, values) => {
      const type = types[index] ?? 0
      // As the parameters' types say; the server refuses what does not fit.
      return (
        arrays.has(type) ? values.map((value) => serialize(type, value)) : values
      ) as SqlColumn
    },
  }
}

interface Reader {
  readonly values: readonly SqlValue[]
  resolve(rows: readonly SqlRow[]): void
  reject(error: unknown): void
}

interface Known {
  /** Undefined before the first answer; null where there is none. */
  many: Many | null | undefined
  waiting: Reader[]
  running: number
  startedAt: number
  /** Until when each asks for itself. */
  apartUntil: number
  /** How many asked together the last time. */
  last: number
  gathering: boolean
}

const maxTexts = 500

/** Runs reads through `run`, many at a time where that is possible. */
export const gatheredReads = (
  run: (text: string, values: readonly SqlValue[]) => Promise<Answer>,
): ((statement: Statement) => Promise<readonly SqlRow[]>) => {
  const texts = new Map<string, Known>()
  /** What a statement takes of late: when all take long, it is nothing about this one. */
  let typicalMs = 0
  const slowMs = () => Math.max(quickMs, 4 * typicalMs)
  const took = (ms: number) => (typicalMs += (Math.min(ms, slowMs()) - typicalMs) / 16)

  const one = async (text: string, known: Known, reader: Reader) => {
    try {
      const { rows, types } = await run(text, reader.values)
      if (known.many === undefined) known.many = forMany(text, types)
      reader.resolve(rows)
    } catch (error) {
      reader.reject(error)
    }
  }

  const many = async (text: string, known: Known, together: Many, readers: readonly Reader[]) => {
    const columns = (readers[0]?.values ?? []).map((_, index) =>
      together.column(
        index,
        readers.map(({ values }) => values[index] ?? null),
      ),
    )
    let rows: readonly SqlRow[]
    try {
      ;({ rows } = await run(together.text, columns))
    } catch (error) {
      // One of them cannot be answered, or the text cannot be a subquery: each asks for itself.
      if (error instanceof SqlError && !error.unreachable && /^(42|0A)/.test(error.sqlState))
        known.many = null
      await Promise.all(readers.map((reader) => one(text, known, reader)))
      return
    }
    const found: SqlRow[][] = readers.map(() => [])
    for (const { serval_reader: reader, ...row } of rows) found[Number(reader) - 1]?.push(row)
    readers.forEach((reader, index) => reader.resolve(found[index] ?? []))
  }

  const flush = async (text: string, known: Known): Promise<void> => {
    known.gathering = false
    const readers = known.waiting.splice(0, most)
    if (readers.length === 0) return
    if (known.waiting.length > 0) gather(text, known)
    known.last = readers.length
    const startedAt = (known.startedAt = performance.now())
    known.running += 1
    const together = known.many
    const [first] = readers
    if (first !== undefined && readers.length === 1) await one(text, known, first)
    else if (together) await many(text, known, together, readers)
    else await Promise.all(readers.map((reader) => one(text, known, reader)))
    known.running -= 1
    const now = performance.now()
    if (now - startedAt > slowMs() * readers.length) known.apartUntil = now + apartMs
    took(now - startedAt)
    if (known.waiting.length > 0 && !known.gathering) await flush(text, known)
  }

  const gather = (text: string, known: Known) => {
    if (known.gathering) return
    known.gathering = true
    const go = () => void flush(text, known)
    if (known.last > 1 && known.waiting.length < most / 2) setTimeout(go, lingerMs)
    else setImmediate(go)
  }

  return ({ text, values }) =>
    new Promise((resolve, reject) => {
      let known = texts.get(text)
      if (known === undefined) {
        known = {
          many: undefined,
          waiting: [],
          running: 0,
          startedAt: 0,
          apartUntil: 0,
          last: 0,
          gathering: false,
        }
        // More texts than this means that somebody builds them from values: they are not gathered.
        if (texts.size < maxTexts) texts.set(text, known)
      }
      const reader = { values, resolve, reject }
      const now = performance.now()
      if (known.many === null || now < known.apartUntil) return void one(text, known, reader)
      known.waiting.push(reader)
      const busy = known.running > 0 && now - known.startedAt < slowMs()
      if (!busy) gather(text, known)
    })
}

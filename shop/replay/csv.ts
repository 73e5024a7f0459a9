import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CsvError, parse } from 'csv-parse'
import { Complaint } from './complaint.ts'

/** A line of an invoice, as the file has it; outer blanks are gone. */
export interface Row {
  readonly invoice: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Empty when it is not known. */
  readonly customer: string
  readonly country: string
  readonly sku: string
  readonly description: string
  readonly quantity: number
  readonly unitPriceMinor: number
}

export const columns = [
  'invoice',
  'at',
  'customer',
  'country',
  'sku',
  'description',
  'quantity',
  'unit_price_minor',
] as const

type Column = (typeof columns)[number]

const shown = (value: string) =>
  JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)

const complaintAt = (file: string, line: number, words: string) =>
  new Complaint(`${file}, line ${line}${words}`, 2)

const forms: Readonly<Record<Column, { readonly form: RegExp; readonly must: string }>> = {
  invoice: { form: /^[\x21-\x7e]{1,64}$/, must: 'is 1 to 64 printable characters' },
  at: {
    form: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/,
    must: 'is a time such as 2010-12-01T08:26:00Z',
  },
  customer: { form: /^[A-Za-z0-9-]{0,40}$/, must: 'is empty, or 1 to 40 letters, digits, hyphens' },
  country: { form: /^[^\p{Cc}]{1,60}$/u, must: 'is 1 to 60 characters' },
  sku: { form: /^[\x20-\x7e]{1,64}$/, must: 'is 1 to 64 printable ASCII characters' },
  description: { form: /^[^]{0,2000}$/, must: 'is at most 2,000 characters' },
  quantity: { form: /^-?\d{1,9}$/, must: 'is a whole number' },
  unit_price_minor: { form: /^-?\d{1,15}$/, must: 'is a whole number of pence' },
}

/** Checks a record's fields. Throws a Complaint that names file, line, column and value. */
export const rowOf = (record: readonly string[], file: string, line: number): Row => {
  const field = (column: Column) => {
    const given = record[columns.indexOf(column)]
    if (given === undefined) throw complaintAt(file, line, `, column ${column}: it is missing`)
    const value = given.trim()
    const { form, must } = forms[column]
    if (!form.test(value))
      throw complaintAt(file, line, `, column ${column}: ${shown(given)}; it ${must}`)
    return value
  }
  if (record.length > columns.length)
    throw complaintAt(file, line, `: ${record.length} fields instead of ${columns.length}`)
  const at = field('at')
  if (Number.isNaN(Date.parse(at)))
    throw complaintAt(file, line, `, column at: ${shown(at)}; there is no such time`)
  return {
    invoice: field('invoice'),
    at: Date.parse(at),
    customer: field('customer'),
    country: field('country'),
    sku: field('sku'),
    description: field('description'),
    quantity: Number(field('quantity')),
    unitPriceMinor: Number(field('unit_price_minor')),
  }
}

const checkHeader = (record: readonly string[], file: string, line: number) => {
  const wrongAt = columns.findIndex((column, at) => record[at]?.trim() !== column)
  if (wrongAt < 0 && record.length === columns.length) return
  const found = record.map((name) => name.trim()).join(',')
  throw complaintAt(
    file,
    line,
    `: the header is ${shown(found)}; it must be ${columns.join(',')}` +
      (wrongAt < 0 ? '' : ` (column ${wrongAt + 1} is not ${columns[wrongAt]})`),
  )
}

/** Told by its first two bytes (RFC 1952), whatever its name. */
const isGzip = async (path: string) => {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await file.close()
  }
}

const wordsOf = (error: unknown, file: string, line: number): Complaint => {
  if (error instanceof Complaint) return error
  const { code, message, lines } = error as { code?: string; message: string; lines?: number }
  const system: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EISDIR: 'it is a folder',
    EACCES: 'it may not be read',
  }
  if (error instanceof CsvError) return complaintAt(file, lines ?? line, `: ${message}`)
  if (code === 'Z_BUF_ERROR' || message.includes('unexpected end of file'))
    return complaintAt(file, line, ': the gzip data ends here, before its end: it is cut off')
  if (code?.startsWith('Z_') === true)
    return complaintAt(file, line, `: the gzip data is damaged after here: ${message}`)
  return new Complaint(`${file}: ${system[code ?? ''] ?? message}`, 2)
}

const records = (path: string, gzip: boolean) => {
  const parser = parse({ bom: true, info: true, relax_column_count: true, skip_empty_lines: true })
  // Its error reaches whoever reads the parser.
  const done = () => undefined
  const source: Readable = createReadStream(path)
  if (gzip) pipeline(source, createGunzip(), parser, done)
  else pipeline(source, parser, done)
  return parser as AsyncIterable<{ info: { lines: number }; record: string[] }>
}

/** The rows of a CSV file, plain or gzip, one at a time. Throws a Complaint with exit code 2. */
export async function* rowsOf(path: string): AsyncGenerator<Row, void> {
  let line = 1
  let isHeader = true
  try {
    for await (const { info, record } of records(path, await isGzip(path))) {
      line = info.lines
      if (isHeader) checkHeader(record, path, line)
      else yield rowOf(record, path, line)
      isHeader = false
    }
    if (isHeader) throw new Complaint(`${path}: the file is empty`, 2)
  } catch (error) {
    throw wordsOf(error, path, line)
  }
}

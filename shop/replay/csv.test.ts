import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Complaint } from './complaint.ts'
import { rowsOf } from './csv.ts'

const fixture = join(import.meta.dirname, 'fixture.csv')
const header = 'invoice,at,customer,country,sku,description,quantity,unit_price_minor'
const good = '1,2012-03-05T08:00:00Z,10001,United Kingdom,40001A,MUG,6,255'
let folder: string

beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'replay-csv-'))))
afterAll(() => rm(folder, { recursive: true }))

const file = async (name: string, data: string | Uint8Array) => {
  const path = join(folder, name)
  await writeFile(path, data)
  return path
}

const read = async (path: string) => {
  const rows = []
  for await (const row of rowsOf(path)) rows.push(row)
  return rows
}

const complaint = async (path: string) => {
  const error = await read(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Complaint)
  expect((error as Complaint).exitCode).toBe(2)
  return (error as Complaint).message.replace(folder, '')
}

describe('a good file', () => {
  test('is read with quotes, commas, and blanks trimmed', async () => {
    const rows = await read(fixture)
    expect(rows).toHaveLength(28)
    expect(rows[1]).toEqual({
      invoice: '700001',
      at: Date.parse('2012-03-05T08:00:00Z'),
      customer: '10001',
      country: 'United Kingdom',
      sku: '40002',
      description: 'SIGN, "MIND THE CAT"',
      quantity: 2,
      unitPriceMinor: 339,
    })
    expect(rows[2]?.description).toBe('BLUE ENAMEL MUG')
    expect(rows[3]).toMatchObject({ invoice: 'C700002', quantity: -1 })
  })

  test('may be gzip, whatever its name, and have a byte order mark and CRLF', async () => {
    const packed = await file('packed.csv', gzipSync(await readFile(fixture)))
    expect(await read(packed)).toEqual(await read(fixture))
    const windows = await file('windows.csv', `\ufeff${header}\r\n${good}\r\n`)
    expect(await read(windows)).toHaveLength(1)
  })
})

describe('a bad file is refused with file, line, column and value', () => {
  const refused: readonly (readonly [string, string, string])[] = [
    ['an empty file', '', '/bad.csv: the file is empty'],
    ['another header', 'invoice,when\n', '/bad.csv, line 1: the header is "invoice,when"'],
    [
      'a quantity in words',
      `${header}\n${good}\n${good.replace(',6,', ',six,')}\n`,
      '/bad.csv, line 3, column quantity: "six"; it is a whole number',
    ],
    [
      'a price with pence apart',
      `${header}\n${good.replace('255', '2.55')}\n`,
      '/bad.csv, line 2, column unit_price_minor: "2.55"; it is a whole number of pence',
    ],
    [
      'a day that is none',
      `${header}\n${good.replace('03-05', '13-05')}\n`,
      '/bad.csv, line 2, column at: "2012-13-05T08:00:00Z"; there is no such time',
    ],
    [
      'a SKU outside of ASCII',
      `${header}\n${good.replace('40001A', 'tasse-é')}\n`,
      '/bad.csv, line 2, column sku: "tasse-é"; it is 1 to 64 printable ASCII characters',
    ],
    [
      'a SKU of blanks',
      `${header}\n${good.replace('40001A', '  ')}\n`,
      '/bad.csv, line 2, column sku',
    ],
    [
      'a field too few',
      `${header}\n${good.replace(',255', '')}\n`,
      '/bad.csv, line 2, column unit_price_minor: it is missing',
    ],
    ['a field too many', `${header}\n${good},1\n`, '/bad.csv, line 2: 9 fields instead of 8'],
    [
      'a quote that stays open',
      `${header}\n${good.replace('MUG', '"MUG')}\n`,
      '/bad.csv, line 2: ',
    ],
  ]
  test.each(refused)('%s', async (_, text, message) => {
    expect(await complaint(await file('bad.csv', text))).toContain(message)
  })

  test('gzip data that is cut off', async () => {
    const text = [header, ...Array.from({ length: 5_000 }, (_, at) => `${at}${good}`)].join('\n')
    const whole = gzipSync(text)
    const cut = await file('cut.csv.gz', whole.subarray(0, whole.length - 200))
    expect(await complaint(cut)).toMatch(/^\/cut\.csv\.gz, line \d+: the gzip data ends here/)
  })

  test('gzip data that is damaged', async () => {
    const bytes = gzipSync(`${header}\n${good}\n`)
    bytes[20] = (bytes[20] ?? 0) ^ 0xff
    expect(await complaint(await file('hurt.gz', bytes))).toMatch(
      /^\/hurt\.gz, line 1: the gzip data/,
    )
  })

  test('a file that is not there, or is a folder', async () => {
    expect(await complaint(join(folder, 'none.csv'))).toBe('/none.csv: there is no such file')
    expect(await complaint(folder)).toContain(': it is a folder')
  })
})

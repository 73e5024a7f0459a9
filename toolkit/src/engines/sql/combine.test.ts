import { expect, test } from 'vitest'
import { combined, mayMeet } from './combine.ts'
import { rowsStatement, type Statement } from './transaction.ts'
import type { SqlRowsWrite } from './database.ts'

const rows = (text: string, value: number, more: Partial<SqlRowsWrite> = {}): Statement =>
  rowsStatement({ text, columns: [[value]], ...more })
const plain = (text: string): Statement => ({ text, values: [] })
const short = (statements: readonly Statement[]) =>
  statements.map(({ text, values }) => `${text}${values.length > 0 ? `:${String(values[0])}` : ''}`)

const a = 'insert into a select * from unnest($1::integer[])'
const b = 'insert into b select * from unnest($1::integer[])'

test('rows of several transactions are those of one statement, in their order', () => {
  expect(
    short(combined([[rows(a, 1), rows(b, 1)], [rows(a, 2)], [rows(b, 3), rows(a, 3)]])),
  ).toEqual([`${b}:1,3`, `${a}:1,2,3`])
})

test('a guard counts the rows of all', () => {
  const [one] = combined([[rows(a, 1, { otherwise: 'no' })], [rows(a, 2, { otherwise: 'no' })]])
  expect(one?.guard).toEqual({ rows: 2, otherwise: 'no' })
})

test('rows do not pass a statement that names their table', () => {
  for (const between of [
    'update a set n = 0',
    'update c set n = (select max(n) from a)',
    'select f()',
  ]) {
    const all = combined([[rows(a, 1)], [plain(between)], [rows(a, 2)]])
    expect(short(all)).toEqual([`${a}:1`, between, `${a}:2`])
  }
  const other = combined([[rows(a, 1)], [plain('update c set n = 0')], [rows(a, 2)]])
  expect(short(other)).toEqual(['update c set n = 0', `${a}:1,2`])
})

test('rows that read a table do not pass its change', () => {
  const reading = 'insert into a select n from unnest($1::integer[]) n where n in (select n from c)'
  const all = combined([[rows(reading, 1)], [plain('delete from c')], [rows(reading, 2)]])
  expect(short(all)).toEqual([`${reading}:1`, 'delete from c', `${reading}:2`])
})

test('updates combine only under a guard, and upserts never without one', () => {
  const update = 'update a set n = r.n from unnest($1::integer[]) r (n) where a.n = r.n'
  const upsert = `${a} on conflict (n) do update set n = excluded.n`
  for (const text of [update, upsert])
    expect(combined([[rows(text, 1)], [rows(text, 1)]])).toHaveLength(2)
  expect(
    combined([[rows(update, 1, { otherwise: 'x' })], [rows(update, 2, { otherwise: 'x' })]]),
  ).toHaveLength(1)
})

test('locks come first, what settles and publishes last', () => {
  const all = combined([
    [rows('lock', 1, { phase: 'lock' }), plain('update c set n = 1'), rows(b, 1, { phase: 'settle' }), rows(a, 1, { phase: 'publish' })],
    [rows('lock', 2, { phase: 'lock' }), plain('update c set n = 2'), rows(b, 2, { phase: 'settle' }), rows(a, 2, { phase: 'publish' })],
  ]) // prettier-ignore
  expect(short(all)).toEqual([
    'lock:1,2',
    'update c set n = 1',
    'update c set n = 2',
    `${b}:1,2`,
    `${a}:1,2`,
  ])
})

test('a transaction alone stays as it is', () => {
  const one = [rows(a, 1, { phase: 'publish' }), plain('update c set n = 1'), rows(a, 2)]
  expect(combined([one])).toEqual(one)
})

test('two texts may meet where one changes what the other names', () => {
  expect(mayMeet('update a set n = 1', 'insert into b select n from a')).toBe(true)
  expect(mayMeet('update a set n = 1', 'update b set n = 1')).toBe(false)
  expect(mayMeet('select do_something()', 'update b set n = 1')).toBe(true)
  expect(mayMeet('UPDATE "A" set n = 1', 'delete from a')).toBe(true)
})

import { expect, test } from 'vitest'
import { writes } from './repository.ts'

test('a statement that writes is told from one that reads', () => {
  const writing = [
    'insert into a values (1) returning b',
    'INSERT  INTO a select * from b',
    'with moved as (delete from a returning *) select * from moved',
    'with x as (select 1) update a set b = 1',
    '/* select */ update a set b = 2',
    "select 'it''s' as a; delete from b",
    'merge into a using b on true when matched then delete',
    'truncate a',
  ]
  expect(writing.filter((text) => !writes(text))).toEqual([])
  const reading = [
    'select * from a where b = $1',
    'select * from a for update',
    'select * from a for no key update of a skip locked',
    "select 'insert into', 'don''t update' as x",
    'select "update" from a -- delete from a',
    'select /* truncate */ 1',
    'select updated, inserted_at, last_update from a',
  ]
  expect(reading.filter((text) => writes(text))).toEqual([])
})

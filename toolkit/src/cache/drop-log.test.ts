import { expect, test } from 'vitest'
import { DropLog } from './drop-log.ts'

test('a fill learns of the drops of its tags since it began', () => {
  const log = new DropLog()
  log.add(['a'])
  const begun = log.position
  expect(log.droppedSince(begun, ['a', 'b'])).toBe(false)
  log.add(['b', 'c'])
  expect(log.droppedSince(begun, ['a'])).toBe(false)
  expect(log.droppedSince(begun, ['a', 'b'])).toBe(true)
  expect(log.droppedSince(log.position, ['a', 'b', 'c'])).toBe(false)
  log.add('all')
  expect(log.droppedSince(begun, [])).toBe(true)
  expect(log.droppedSince(log.position, ['b'])).toBe(false)
})

test('it is bounded: a fill from before what it remembers counts as dropped', () => {
  const log = new DropLog()
  const begun = log.position
  log.add(Array.from({ length: 10_000 }, (_, n) => `${n}`))
  const between = log.position
  expect(log.droppedSince(begun, ['other'])).toBe(false)
  log.add(['one more'])
  expect(log.droppedSince(begun, ['other'])).toBe(true)
  expect(log.droppedSince(between, ['other', '0'])).toBe(false)
  expect(log.droppedSince(between, ['one more'])).toBe(true)
})

test('a tag that is dropped again and again is one of those it remembers', () => {
  const log = new DropLog()
  for (let n = 0; n < 20_000; n++) log.add(['often'])
  log.add(['once'])
  const begun = log.position
  log.add(['often'])
  for (let n = 0; n < 9_999; n++) log.add([`${n}`])
  expect(log.droppedSince(begun, ['other'])).toBe(false)
  expect(log.droppedSince(begun, ['often'])).toBe(true)
})

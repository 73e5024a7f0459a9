import { expect, test } from 'vitest'
import { TaggedLru } from './tagged-lru.ts'

const under = () => new TaggedLru<string>({ maxEntries: 3, maxBytes: 100 })

test('drops what bears one of the tags', () => {
  const lru = under()
  lru.set('a', 'A', 1, ['x', 'y'])
  lru.set('b', 'B', 1, ['y'])
  lru.set('c', 'C', 1, [])
  lru.drop(['x', 'unknown'])
  expect(['a', 'b', 'c'].map((key) => lru.get(key))).toEqual([undefined, 'B', 'C'])
  lru.drop('all')
  expect([lru.size, lru.bytes, lru.tags]).toEqual([0, 0, 0])
})

test('an entry has the tags that it was set with last', () => {
  const lru = under()
  lru.set('a', 'A', 1, ['x', 'x'])
  lru.set('a', 'B', 1, ['y'])
  lru.drop(['x'])
  expect(lru.get('a')).toBe('B')
  lru.drop(['y'])
  expect(lru.get('a')).toBeUndefined()
})

test('what leaves, or was too large to be kept, leaves no tag behind', () => {
  const lru = under()
  for (const key of ['a', 'b', 'c', 'd', 'e']) lru.set(key, key, 1, [key])
  lru.set('large', 'large', 101, ['large'])
  lru.delete('d')
  expect([lru.size, lru.tags]).toEqual([2, 2])
})

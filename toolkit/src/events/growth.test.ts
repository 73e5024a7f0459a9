import { expect, test } from 'vitest'
import { growth } from './growth.ts'

test('growth is told at once, and once for what committed together', async () => {
  const told: (readonly number[])[] = []
  const grown = growth((partitions) => void told.push(partitions))
  grown([3, 5])
  grown([5])
  grown([7])
  await Promise.resolve()
  expect(told).toEqual([[3, 5, 7]])
  grown([3])
  await Promise.resolve()
  expect(told).toEqual([[3, 5, 7], [3]])
})

import { expect, test } from 'vitest'
import { quantilesOf, sampleOf } from './quantiles.ts'

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1)

test('quantiles are values that occurred, by nearest rank', () => {
  expect(quantilesOf(upTo(100).reverse())).toEqual({
    count: 100,
    p50: 50,
    p90: 90,
    p99: 99,
    max: 100,
  })
  expect(quantilesOf([7])).toEqual({ count: 1, p50: 7, p90: 7, p99: 7, max: 7 })
  expect(quantilesOf([])).toBeUndefined()
})

test('a sample is spread evenly, and no larger than asked for', () => {
  expect(sampleOf(upTo(10), 5)).toEqual([1, 3, 5, 7, 9])
  expect(sampleOf(upTo(3), 5)).toEqual([1, 2, 3])
  expect(sampleOf(upTo(150), 100)).toHaveLength(75)
})

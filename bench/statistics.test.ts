import { expect, test } from 'vitest'
import type { ContenderInfo, MeasureId, Sample } from './samples.ts'
import { compare, spreadOf } from './statistics.ts'

const ours: ContenderInfo = { id: 'ours', name: 'ours', side: 'ours' }
const slow: ContenderInfo = { id: 'slow', name: 'slow', side: 'theirs' }
const fast: ContenderInfo = { id: 'fast', name: 'fast', side: 'theirs' }

const samplesOf = (measure: MeasureId, values: Readonly<Record<string, readonly number[]>>) =>
  Object.entries(values).flatMap(([contender, all]) =>
    all.map((value, n): Sample => ({ measure, contender, round: n + 1, value })),
  )

test('the spread of an even and an odd number of values', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 })
  expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4 })
  expect(spreadOf([7])).toEqual({ median: 7, least: 7, most: 7 })
})

test('ratios are made against the best of theirs, from rounds that stood side by side', () => {
  const samples = samplesOf('orders.accepted', {
    ours: [100, 50, 200],
    slow: [10, 10, 10],
    // The machine was busy in the second round: the ratio does not see it.
    fast: [50, 25, 100],
  })
  const found = compare('orders.accepted', [ours, slow, fast], samples)
  expect(found?.ratios).toEqual([{ contender: ours, against: fast, median: 2, least: 2, most: 2 }])
  expect(found?.figures.map(({ contender, median }) => [contender.id, median])).toEqual([
    ['ours', 100],
    ['slow', 10],
    ['fast', 50],
  ])
})

test('where less is better, a ratio above 1 still says that ours are better', () => {
  const samples = samplesOf('orders.cpu', { ours: [0.5], slow: [4], fast: [1] })
  const [ratio] = compare('orders.cpu', [ours, slow, fast], samples)?.ratios ?? []
  expect(ratio).toMatchObject({ against: fast, median: 2 })
})

test('what stands apart is shown and not compared, and groups are compared among themselves', () => {
  const apart = { ...fast, apart: true }
  const elsewhere: ContenderInfo = { ...fast, id: 'elsewhere', group: 'other' }
  const samples = samplesOf('calls.rate', {
    ours: [10],
    slow: [5],
    fast: [1_000],
    elsewhere: [500],
  })
  const found = compare('calls.rate', [ours, slow, apart, elsewhere], samples)
  expect(found?.figures).toHaveLength(4)
  expect(found?.ratios).toEqual([{ contender: ours, against: slow, median: 2, least: 2, most: 2 }])
})

test('nothing is said of what was not measured', () => {
  expect(compare('auth.logins', [ours, slow], [])).toBeUndefined()
  const alone = compare('auth.logins', [ours, slow], samplesOf('auth.logins', { ours: [1] }))
  expect(alone?.ratios).toEqual([])
})

import fc from 'fast-check'
import { ServalError } from 'serval'
import { expect, test } from 'vitest'
import { bucketSizes, maxBuckets } from './contract.ts'
import { bucketsOf, rangeOf } from './range.ts'

const at = (text: string) => Date.parse(text)
const text = (ms: number) => new Date(ms).toISOString()
const refusal = (run: () => unknown): ServalError => {
  try {
    run()
  } catch (error) {
    if (error instanceof ServalError) return error
  }
  throw new Error('it was not refused')
}
const now = at('2026-03-01T10:20:30.400Z')
const lengths = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

test('buckets hold the whole range, in order, without gap or overlap, and begin on the clock', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...bucketSizes),
      fc.integer({ min: 0, max: 4_102_444_800_000 }),
      fc.integer({ min: 1, max: 150 }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (size, from, whole, part) => {
        const to = from + Math.max(1, Math.floor((whole - 1 + part) * lengths[size]))
        const buckets = bucketsOf({ from, to }, size)
        expect(buckets[0]?.from).toBe(from)
        expect(buckets.at(-1)?.to).toBe(to)
        for (const [index, bucket] of buckets.entries()) {
          expect(bucket.at % lengths[size]).toBe(0)
          expect(bucket.from).toBeGreaterThanOrEqual(bucket.at)
          expect(bucket.to).toBeLessThanOrEqual(bucket.at + lengths[size])
          expect(bucket.to).toBeGreaterThan(bucket.from)
          if (index > 0) expect(buckets[index - 1]?.to).toBe(bucket.from)
        }
      },
    ),
  )
})

test('days and hours are those of UTC', () => {
  const range = { from: at('2026-02-28T23:30:00Z'), to: at('2026-03-01T00:00:00.001Z') }
  const begin = (size: 'minute' | 'hour' | 'day') =>
    bucketsOf(range, size).map((one) => text(one.at))
  expect(begin('day')).toEqual(['2026-02-28T00:00:00.000Z', '2026-03-01T00:00:00.000Z'])
  expect(begin('hour')).toEqual(['2026-02-28T23:00:00.000Z', '2026-03-01T00:00:00.000Z'])
  expect(begin('minute')).toHaveLength(31)
})

test('2,000 buckets are listed, and one more is refused with the limit', () => {
  const from = at('2026-01-01T00:00:00Z')
  const to = from + maxBuckets * lengths.minute
  expect(bucketsOf({ from, to }, 'minute')).toHaveLength(2_000)
  for (const wider of [
    { from, to: to + 1 },
    { from: from - 1, to },
  ])
    expect(refusal(() => bucketsOf(wider, 'minute'))).toMatchObject({
      code: 'too-many-buckets',
      kind: 'unprocessable',
      data: { buckets: 2_001, limit: 2_000 },
    })
})

test('nothing said: the last 60 minutes, 24 hours or 30 days, this one among them', () => {
  for (const [size, count] of [
    ['minute', 60],
    ['hour', 24],
    ['day', 30],
  ] as const) {
    const buckets = bucketsOf(rangeOf({}, size, now), size)
    expect(buckets).toHaveLength(count)
    const last = buckets.at(-1)
    expect(last !== undefined && last.from <= now && now < last.to).toBe(true)
  }
})

test('one end said: the other one is as usual', () => {
  const from = '2026-03-01T08:15:00Z'
  expect(rangeOf({ from }, 'hour', now)).toEqual({ from: at(from), to: at('2026-03-01T11:00:00Z') })
  const to = '2020-01-02T00:00:00Z'
  expect(rangeOf({ to }, 'hour', now)).toEqual({ from: at('2020-01-01T00:00:00Z'), to: at(to) })
  expect(rangeOf({ to: '1970-01-01T00:30:00Z' }, 'hour', now).from).toBe(0)
})

test('a range that ends before it begins, or as it does, is refused', () => {
  const moment = '2026-01-01T00:00:00Z'
  for (const [asked, pointer] of [
    [{ from: moment, to: moment }, '/from'],
    [{ from: '2027-01-01T00:00:00Z' }, '/from'],
    [{ to: '1970-01-01T00:00:00Z' }, '/to'],
  ] as const)
    expect(refusal(() => rangeOf(asked, 'day', now))).toMatchObject({
      code: 'invalid-input',
      data: { errors: [{ pointer }] },
    })
})

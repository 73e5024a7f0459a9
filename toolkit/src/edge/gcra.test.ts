import fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyAt, meter, type Level, type Quota } from './gcra.ts'

const quotas = fc.record({
  requests: fc.integer({ min: 1, max: 50 }),
  perMs: fc.integer({ min: 1, max: 5_000 }),
})
const gaps = fc.array(
  fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 9_000 })),
  { maxLength: 200 },
)
const start = Date.UTC(2026, 0, 1)

/** The times of the requests that passed. */
const passed = (quota: Quota, waits: readonly number[]): number[] => {
  const times: number[] = []
  let level: Level | undefined
  let now = start
  for (const wait of waits) {
    now += wait
    const metered = meter(level, quota, now)
    level = metered.level
    if (metered.room.allowed) times.push(now)
  }
  return times
}

test('in no stretch of time pass more than the burst and the rate', () => {
  fc.assert(
    fc.property(quotas, gaps, (quota, waits) => {
      const times = passed(quota, waits)
      const { requests, perMs } = quota
      for (const [from, first] of times.entries())
        for (const [to, last] of times.entries()) {
          if (to < from) continue
          const most = requests + Math.floor(((last - first) * requests) / perMs)
          expect(to - from + 1).toBeLessThanOrEqual(most)
        }
    }),
  )
})

/** The same algorithm in its other form, virtual scheduling, in exact fractions: times are multiplied by `requests`. */
test('it is the GCRA: the theoretical arrival time decides alike', () => {
  fc.assert(
    fc.property(quotas, gaps, ({ requests, perMs }, waits) => {
      const [scale, increment] = [BigInt(requests), BigInt(perMs)]
      const tolerance = increment * (scale - 1n)
      const expected: number[] = []
      let arrival = 0n
      let now = start
      for (const wait of waits) {
        now += wait
        const at = BigInt(now) * scale
        if (at < arrival - tolerance) continue
        arrival = (at > arrival ? at : arrival) + increment
        expected.push(now)
      }
      expect(passed({ requests, perMs }, waits)).toEqual(expected)
    }),
  )
})

test('a refused request is allowed after the time that it was told, and not a millisecond before', () => {
  fc.assert(
    fc.property(quotas, gaps, (quota, waits) => {
      let level: Level | undefined
      let now = start
      for (const wait of waits) {
        now += wait
        const { room, level: next } = meter(level, quota, now)
        level = next
        if (room.allowed) continue
        expect(room.remaining).toBe(0)
        expect(meter(level, quota, now + room.moreInMs).room.allowed).toBe(true)
        expect(meter(level, quota, now + room.moreInMs - 1).room.allowed).toBe(false)
      }
    }),
  )
})

test('what it says is left is what it lets pass, and one more after the time that it says', () => {
  fc.assert(
    fc.property(quotas, gaps, (quota, waits) => {
      let level: Level | undefined
      let now = start
      for (const wait of waits) {
        now += wait
        const metered = meter(level, quota, now)
        level = metered.level
        const { remaining, moreInMs } = metered.room
        const left = (after: number) => {
          let many = 0
          let at: Level | undefined = level
          for (;;) {
            const one = meter(at, quota, now + after)
            if (!one.room.allowed) return many
            at = one.level
            many += 1
          }
        }
        expect(left(0)).toBe(remaining)
        expect(left(moreInMs)).toBeGreaterThanOrEqual(Math.min(quota.requests, remaining + 1))
        if (moreInMs > 0) expect(left(moreInMs - 1)).toBe(remaining)
      }
    }),
    { numRuns: 30 },
  )
})

test('rounding loses nothing, also after a year of it', () => {
  const quota = { requests: 7, perMs: 60_000 }
  let level: Level | undefined
  let allowed = 0
  const year = 365 * 86_400_000
  // Just as often as it may: at 0, 8571.43, 17142.86 … milliseconds, rounded up.
  for (let request = 0; request * 60_000 <= year * 7; request += 1_009) {
    const now = start + Math.ceil((request * 60_000) / 7)
    const metered = meter(level, quota, now)
    level = metered.level
    if (metered.room.allowed) allowed += 1
  }
  expect(allowed).toBe(Math.floor((year * 7) / 60_000 / 1_009) + 1)
})

test('a level is as good as none when it has drained', () => {
  fc.assert(
    fc.property(quotas, gaps, (quota, waits) => {
      let level: Level | undefined
      let now = start
      for (const wait of waits) {
        now += wait
        level = meter(level, quota, now).level
      }
      if (level === undefined) return
      const empty = Math.ceil(emptyAt(level, quota))
      expect(meter(level, quota, empty)).toEqual(meter(undefined, quota, empty))
    }),
  )
})

test('a clock that is set back gives nothing, and blocks nobody', () => {
  const quota = { requests: 2, perMs: 1_000 }
  const full = meter(meter(undefined, quota, start).level, quota, start).level
  const back = meter(full, quota, start - 86_400_000)
  expect(back.room).toEqual({ allowed: false, remaining: 0, moreInMs: 500 })
  expect(meter(back.level, quota, start - 86_400_000 + 500).room.allowed).toBe(true)
})

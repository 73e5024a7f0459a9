import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rfc3339, systemEnv, uuidv7 } from './env.ts'

const zeros = (count: number) => new Uint8Array(count)
const ones = (count: number) => new Uint8Array(count).fill(0xff)
const timeOf = (id: string) => Number.parseInt(id.replace('-', '').slice(0, 12), 16)

test('an id has the layout of RFC 9562, 5.7', () => {
  const at = 0x0123_4567_89ab
  expect(uuidv7(() => at, zeros)()).toBe('01234567-89ab-7000-8000-000000000000')
  expect(uuidv7(() => at, ones)()).toBe('01234567-89ab-77ff-bfff-ffffffffffff')
})

test('ids ascend strictly, whatever the clock and the randomness do', () => {
  const instants = fc.array(fc.integer({ min: 0, max: 2 ** 48 - 10_000 }), {
    minLength: 2,
    maxLength: 50,
  })
  fc.assert(
    fc.property(instants, fc.infiniteStream(fc.nat(255)), (times, bytes) => {
      let nth = 0
      const make = uuidv7(
        () => times[nth++ % times.length] ?? 0,
        (count) => Uint8Array.from({ length: count }, () => bytes.next().value ?? 0),
      )
      let last = ''
      for (let made = 0; made < 100; made++) {
        const id = make()
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
        expect(id > last).toBe(true)
        last = id
      }
    }),
    { numRuns: 50 },
  )
})

test('when the counter of a millisecond is used up, the id’s own time runs ahead until the clock has caught up', () => {
  let now = 1_000
  const make = uuidv7(() => now, ones)
  const ids = Array.from({ length: 10_000 }, make)
  expect(new Set(ids).size).toBe(10_000)
  expect(ids).toEqual([...ids].sort())
  expect(timeOf(ids[0] ?? '')).toBe(1_000)
  expect(timeOf(ids.at(-1) ?? '')).toBe(1_002)
  now = 1_002
  expect(make() > (ids.at(-1) ?? '')).toBe(true)
  now = 2_000
  expect(timeOf(make())).toBe(2_000)
})

test('a clock that steps back does not take the ids with it', () => {
  let now = 5_000
  const make = uuidv7(() => now, zeros)
  const before = make()
  now = 10
  const after = make()
  expect(after > before).toBe(true)
  expect(timeOf(after)).toBe(5_000)
})

test('random bytes are as many as were asked for, and nobody else’s', () => {
  const env = systemEnv()
  const seen = new Set<string>()
  for (let nth = 0; nth < 1_000; nth++) seen.add(String(env.bytes(16)))
  expect(seen.size).toBe(1_000)
  expect(env.bytes(0)).toHaveLength(0)
  expect(env.bytes(10_000)).toHaveLength(10_000)
  const mine = env.bytes(8)
  expect(mine.buffer.byteLength).toBe(8)
})

test('sleep rejects with the signal’s reason, at once when it was aborted before', async () => {
  const env = systemEnv()
  const reason = new Error('enough')
  await expect(env.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason)
  const controller = new AbortController()
  const sleeping = env.sleep(60_000, controller.signal)
  controller.abort(reason)
  await expect(sleeping).rejects.toBe(reason)
  await env.sleep(0, new AbortController().signal)
})

test('a wait of months does not end at once: the platform’s timers take 31 bits', () => {
  const months = 100 * 24 * 3_600_000
  const asked: { ms: number; run: () => void }[] = []
  const real = { set: globalThis.setTimeout, clear: globalThis.clearTimeout }
  let fired = 0
  globalThis.setTimeout = ((run: () => void, ms: number) =>
    asked.push({ ms, run })) as unknown as typeof setTimeout
  globalThis.clearTimeout = (() => undefined) as typeof clearTimeout
  try {
    systemEnv().after(months, () => (fired += 1))
    let waited = 0
    for (let next = asked.shift(); next !== undefined && fired === 0; next = asked.shift()) {
      expect(next.ms).toBeLessThanOrEqual(2 ** 31 - 1)
      waited += next.ms
      next.run()
    }
    expect(waited).toBe(months)
    expect(fired).toBe(1)
  } finally {
    globalThis.setTimeout = real.set
    globalThis.clearTimeout = real.clear
  }
})

test('times are written in UTC with milliseconds', () => {
  expect(rfc3339(0)).toBe('1970-01-01T00:00:00.000Z')
  expect(rfc3339(Date.UTC(2026, 0, 2, 3, 4, 5, 6))).toBe('2026-01-02T03:04:05.006Z')
  // In the same second as the one before, in another, before the epoch, with a fraction, past the year 9999.
  for (const ms of [1_000, 1_999, 2_000, 1_000.9, -1, -1_000, -1_001, -0.5, 253_402_300_800_001])
    expect(rfc3339(ms)).toBe(new Date(ms).toISOString())
  expect(() => rfc3339(Number.NaN)).toThrow(RangeError)
})

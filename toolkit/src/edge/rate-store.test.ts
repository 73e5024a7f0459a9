import fc from 'fast-check'
import { expect, test } from 'vitest'
import { manualEnv } from '../testing/manual-env.ts'
import { memoryRates, type Cell } from './rate-store.ts'

const minute = { requests: 3, perMs: 60_000 }
const of = (key: string, quota = minute, by: Cell['by'] = 'address'): Cell => ({ by, key, quota })

test('each key has a quota of its own', async () => {
  const rates = memoryRates({ env: manualEnv() })
  const allowed = async (...cells: Cell[]) =>
    (await rates.take(cells)).map((room) => room.allowed).join()
  for (let count = 0; count < 3; count++) expect(await allowed(of('a'))).toBe('true')
  expect(await allowed(of('a'))).toBe('false')
  expect(await allowed(of('b'))).toBe('true')
})

test('a request that one quota refuses costs the others nothing', async () => {
  const rates = memoryRates({ env: manualEnv() })
  const wide = of('wide', { requests: 10, perMs: 60_000 })
  const narrow = of('narrow', { requests: 1, perMs: 60_000 })
  await rates.take([wide, narrow])
  for (let count = 0; count < 20; count++)
    expect((await rates.take([wide, narrow])).map((room) => room.allowed)).toEqual([true, false])
  expect((await rates.take([wide]))[0]?.remaining).toBe(8)
})

test('calls at the same moment count one by one', async () => {
  const rates = memoryRates({ env: manualEnv() })
  const rooms = await Promise.all(
    Array.from({ length: 50 }, () => Promise.resolve().then(() => rates.take([of('a')]))),
  )
  expect(rooms.flat().filter((room) => room.allowed)).toHaveLength(3)
})

test('levels that have drained are let go', async () => {
  const env = manualEnv()
  const rates = memoryRates({ env })
  for (let round = 0; round < 50; round++) {
    for (let key = 0; key < 100; key++) await rates.take([of(`${round}/${key}`)])
    await env.advance(20_000)
  }
  // One request drains in 20 seconds, so that at most a round's are in use.
  expect(rates.size).toBeLessThan(500)
})

test('a crowd of addresses clears nobody’s level, takes no more memory, and shares what is left', async () => {
  const env = manualEnv()
  const rates = memoryRates({ env, maxCells: 100 })
  const spend = async (key: string) => {
    let passed = 0
    while ((await rates.take([of(key)]))[0]?.allowed === true) passed += 1
    return passed
  }
  expect(await spend('known')).toBe(3)
  for (let key = 0; key < 99; key++) expect(await spend(`early ${key}`)).toBe(3)
  let crowd = 0
  for (let key = 0; key < 20_000; key++)
    if ((await rates.take([of(`late ${key}`)]))[0]?.allowed === true) crowd += 1
  expect(rates.size).toBe(100 + 1_024)
  expect(crowd).toBe(3 * 1_024)
  expect(await spend('known')).toBe(0)
  // Users are counted apart.
  expect((await rates.take([of('user', minute, 'caller')]))[0]).toMatchObject({ remaining: 2 })
  // When the crowd has gone, a newcomer has a quota of its own again.
  await env.advance(60_000)
  expect(await spend('newcomer')).toBe(3)
})

test('at the bound, keys that are in use keep their exact quota', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 300 }),
      async (keys) => {
        const rates = memoryRates({ env: manualEnv(), maxCells: 20 })
        const passed = new Map<number, number>()
        for (const key of keys) {
          const [room] = await rates.take([of(String(key))])
          if (room?.allowed === true) passed.set(key, (passed.get(key) ?? 0) + 1)
        }
        for (const [key, count] of passed) expect(count, String(key)).toBeLessThanOrEqual(3)
        for (const key of new Set([...new Set(keys)].slice(0, 20)))
          expect(passed.get(key)).toBe(Math.min(3, keys.filter((one) => one === key).length))
      },
    ),
    { numRuns: 50 },
  )
})

test('levels of a clock that was set back do not stay for ever', async () => {
  const env = manualEnv()
  let behind = 0
  const rates = memoryRates({ env: { ...env, now: () => env.now() - behind }, maxCells: 100 })
  for (let key = 0; key < 100; key++) await rates.take([of(`a${key}`)])
  behind = 86_400_000
  for (let key = 0; key < 100; key++) await rates.take([of(`b${key}`)])
  expect(rates.size).toBeLessThanOrEqual(101)
})

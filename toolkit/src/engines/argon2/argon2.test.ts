import { expect, test } from 'vitest'
import { argon2Passwords } from './index.ts'
import { places, type PlacesOptions } from './places.ts'

const cheap = { memoryKib: 8, passes: 1 }
const inPlaces = (given: Partial<PlacesOptions>) =>
  places({
    atOnce: 1,
    waiting: 100,
    waitingMs: 1_000,
    refusal: () => new Error('full'),
    clock: () => 0,
    ...given,
  })
/** A work that is done when the test says so. */
const held = () => {
  let end: () => void = () => undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  return { work: () => ended, end }
}
const messageOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: Error) => error.message,
  )
const parametersOf = (phc: string) => phc.split('$').slice(1, 4)

test('a hash is an argon2id PHC string with OWASP’s parameters, and the decoy costs the same', async () => {
  const passwords = argon2Passwords()
  const phc = await passwords.hash('correct horse')
  expect(parametersOf(phc)).toEqual(['argon2id', 'v=19', 'm=19456,t=2,p=1'])
  expect(parametersOf(passwords.decoy)).toEqual(parametersOf(phc))
  expect(passwords.decoy).toHaveLength(phc.length)
  expect(await passwords.verify('correct horse', phc)).toBe(true)
  expect(await passwords.verify('correct hors', phc)).toBe(false)
  expect(await passwords.verify('correct horse', passwords.decoy)).toBe(false)
})

test('each hash has a salt of its own, and brings its parameters to the check', async () => {
  const passwords = argon2Passwords(cheap)
  const [one, two] = await Promise.all([passwords.hash('same'), passwords.hash('same')])
  expect(one).not.toBe(two)
  expect(await argon2Passwords({ memoryKib: 16 }).verify('same', one)).toBe(true)
})

test('beyond those computed and those that wait, one more is refused at once', async () => {
  const passwords = argon2Passwords({ ...cheap, concurrency: 1, maxWaiting: 2 })
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => passwords.hash('x')))
  expect(results.map((result) => result.status)).toEqual([
    ...['fulfilled', 'fulfilled', 'fulfilled'],
    ...['rejected', 'rejected'],
  ])
  expect(results[4]).toMatchObject({ reason: { code: 'overloaded', kind: 'unavailable' } })
  expect(await passwords.hash('x')).toContain('$argon2id$')
})

test('bad parameters name the field, the range and the value', () => {
  expect(() => argon2Passwords({ memoryKib: 1 })).toThrow(/memoryKib .* 8 to 4194304; it is 1/)
  expect(() => argon2Passwords({ passes: 0.5 })).toThrow(/passes .*0\.5/)
})

test('places run so many at once, in order, and outlive a failure', async () => {
  const inTurn = inPlaces({ atOnce: 2 })
  const started: number[] = []
  let running = 0
  let most = 0
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, at) =>
      inTurn(async () => {
        started.push(at)
        most = Math.max(most, (running += 1))
        await Promise.resolve()
        running -= 1
        if (at % 3 === 0) throw new Error('failed')
      }),
    ),
  )
  expect(most).toBe(2)
  expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(results.filter((result) => result.status === 'rejected')).toHaveLength(3)
})

test('whoever leaves gives the place in the queue up at once, and is never worked for', async () => {
  const inTurn = inPlaces({ waiting: 2 })
  const [first, leaving] = [held(), new AbortController()]
  const worked: string[] = []
  const ask = (name: string, signal?: AbortSignal) =>
    messageOf(inTurn(async () => void worked.push(name), signal))
  const one = messageOf(inTurn(first.work))
  const [gone, stays] = [ask('gone', leaving.signal), ask('stays', new AbortController().signal)]
  expect(await ask('too many')).toBe('full')
  leaving.abort(new Error('left'))
  expect(await gone).toBe('left')
  const newcomer = ask('newcomer')
  expect(await ask('too many')).toBe('full')
  first.end()
  expect(await Promise.all([one, stays, newcomer])).toEqual(['ok', 'ok', 'ok'])
  expect(await ask('came after leaving', leaving.signal)).toBe('left')
  expect(worked).toEqual(['stays', 'newcomer'])
})

test('a hash that waits leaves by the signal of its caller', async () => {
  const passwords = argon2Passwords({ ...cheap, concurrency: 1, maxWaiting: 1 })
  const leaving = new AbortController()
  const first = passwords.hash('x')
  const gone = messageOf(passwords.verify('x', passwords.decoy, leaving.signal))
  leaving.abort(new Error('left'))
  const next = passwords.hash('x', leaving.signal)
  expect([await messageOf(next), await gone]).toEqual(['left', 'left'])
  expect(await messageOf(passwords.hash('x'))).toBe('ok')
  await first
})

test('whoever would wait too long is refused at once, by how long the latest works took', async () => {
  let now = 0
  const inTurn = inPlaces({ atOnce: 2, waitingMs: 100, clock: () => now })
  const take = (ms: number) =>
    inTurn(async () => {
      now += ms
    })
  await take(40)
  const [one, other] = [held(), held()]
  const running = [inTurn(one.work), inTurn(other.work)]
  const asked = Array.from({ length: 7 }, () => messageOf(take(0)))
  // Two at once of 40 ms: the fifth waits for 100 ms, the sixth would for 120.
  const refused = await Promise.all(asked.slice(5))
  expect(refused).toEqual(['full', 'full'])
  one.end()
  other.end()
  await Promise.all(running)
  expect(await Promise.all(asked)).toEqual([...Array<string>(5).fill('ok'), 'full', 'full'])
  // Nobody waits: however slow it was, it is tried, and the average falls.
  now += 1
  await take(100_000)
  expect(await messageOf(take(0))).toBe('ok')
})

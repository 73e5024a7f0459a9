import { expect, test } from 'vitest'
import { argon2Passwords } from './index.ts'
import { places } from './places.ts'

const cheap = { memoryKib: 8, passes: 1 }
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
  const inTurn = places({ atOnce: 2, waiting: 10, refusal: () => new Error('full') })
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

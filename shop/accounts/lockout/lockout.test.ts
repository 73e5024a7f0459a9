import { assert, boolean, integer, property, array, tuple } from 'fast-check'
import { systemEnv, type ServalError } from 'serval'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  httpTo,
  outcome,
  password,
  startAccounts,
  type AccountsInTest,
} from '../accounts-in-test.suite.ts'
import { failed, lockedForMs, type Tries } from './lockout.ts'

const secondMs = 1_000
const none = (now: number): Tries => ({ failures: 0, lastAt: now, lockedUntil: undefined })

describe('the rule', () => {
  test('locks with the fifth failure for a second, then twice as long each time, a quarter of an hour at most', () => {
    let tries = none(0)
    const waits = Array.from({ length: 20 }, (_, at) => {
      tries = failed(tries, at)
      return lockedForMs(tries, at) / secondMs
    })
    expect(waits.slice(0, 4)).toEqual([0, 0, 0, 0])
    expect(waits.slice(4, 14)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
    expect(waits.slice(14)).toEqual([900, 900, 900, 900, 900, 900])
  })

  test('forgets after a day without a failure', () => {
    let tries = none(0)
    for (let at = 0; at < 10; at += 1) tries = failed(tries, 0)
    expect(lockedForMs(failed(tries, 24 * 3_600 * secondMs), 24 * 3_600 * secondMs)).toBe(0)
  })

  test('lets nobody try more than a hundred and twenty times a day, whenever they come', () => {
    const waits = array(tuple(integer({ min: 0, max: 2_000_000 }), boolean()), { maxLength: 300 })
    assert(
      property(waits, (moves) => {
        let tries = none(0)
        let now = 0
        let tried = 0
        for (const [wait, patient] of moves) {
          // A guesser who knows the rule comes back at the first moment.
          now += patient ? lockedForMs(tries, now) : wait
          if (now >= 24 * 3_600 * secondMs) break
          if (lockedForMs(tries, now) > 0) continue
          tries = failed(tries, now)
          tried += 1
        }
        return tried <= 120
      }),
    )
  })
})

/** The clock stands still but for what a test adds. */
const began = Date.now()
let shift = 0
const env = { ...systemEnv(), now: () => began + shift }
let shop: AccountsInTest
beforeAll(async () => {
  shop = await startAccounts({ env })
})
afterAll(() => shop.system.end())

let people = 0
const address = () => `locked-${(people += 1)}@example.org`
const tryOnce = (email: string, typed = 'wrong horse') =>
  shop.login(email, typed).then(
    () => 'ok' as const,
    (error: ServalError) => error,
  )
/** What a failure tells, all of it. */
const told = async (email: string, typed?: string) => {
  const result = await tryOnce(email, typed)
  return result === 'ok' ? result : result.toJSON()
}
const fail = async (email: string, times: number) => {
  for (let at = 0; at < times; at += 1) await tryOnce(email)
}

describe('an address', () => {
  test('is locked after five failures, for the right password, too, and for a time that it tells', async () => {
    const email = address()
    await shop.register(email)
    await fail(email, 4)
    expect(await told(email)).toMatchObject({ code: 'sign-in-failed' })
    expect(await told(email, password)).toMatchObject({
      code: 'sign-in-locked',
      kind: 'limited',
      data: { retryAfterSeconds: 1 },
    })
    shift += secondMs
    await fail(email, 1)
    expect(await told(email)).toMatchObject({ data: { retryAfterSeconds: 2 } })
    shift += 2 * secondMs
    expect(await told(email, password)).toBe('ok')
  })

  test('that is locked is answered with 429 and the time to wait', async () => {
    const email = address()
    await fail(email, 7)
    shift += secondMs
    await fail(email, 1)
    shift += 2 * secondMs
    await fail(email, 1)
    const reply = await httpTo(shop)('POST', '/api/v1/auth/login', { body: { email, password } })
    expect(reply).toMatchObject({
      status: 429,
      headers: { 'retry-after': '4' },
      json: { code: 'sign-in-locked', retryAfterSeconds: 4 },
    })
  })

  test('is counted from the start again after a success', async () => {
    const email = address()
    await shop.register(email)
    await fail(email, 4)
    expect(await told(email, password)).toBe('ok')
    await fail(email, 4)
    expect(await told(email, password)).toBe('ok')
  })

  test('that nobody has says the same as one that somebody has, and costs as much', async () => {
    const [known, unknown] = [address(), address()]
    await shop.register(known)
    for (let at = 0; at < 7; at += 1) {
      shop.hashed.length = 0
      const one = await told(known)
      const costs = shop.hashed.length
      shop.hashed.length = 0
      expect(await told(unknown)).toEqual(one)
      expect(shop.hashed).toHaveLength(costs)
    }
  })

  test('is counted however it is spelt', async () => {
    const email = address()
    await fail(email, 3)
    await fail(`  ${email.toUpperCase()} `, 2)
    expect(await told(email)).toMatchObject({ code: 'sign-in-locked' })
  })

  test('that is locked costs no hash and counts no further', async () => {
    const email = address()
    await fail(email, 5)
    shop.hashed.length = 0
    await fail(email, 10)
    expect(shop.hashed).toEqual([])
    shift += secondMs
    expect(await told(email)).toMatchObject({ code: 'sign-in-failed' })
    expect(await told(email)).toMatchObject({ data: { retryAfterSeconds: 2 } })
  })

  test('locks nobody else', async () => {
    const [one, other] = [address(), address()]
    await shop.register(other)
    await fail(one, 6)
    expect(await told(other, password)).toBe('ok')
  })

  test('that is locked keeps nobody who is signed in from a new password', async () => {
    const email = address()
    const signedIn = await shop.register(email)
    const me = shop.as(await shop.callerOf(signedIn))
    await fail(email, 7)
    // Nor does an address that looks like what a user's changes are counted under.
    await fail(signedIn.user.id, 7)
    const change = { currentPassword: password, newPassword: 'another horse' }
    expect(await outcome(me.changePassword(change))).toBe('ok')
    expect(await told(email, 'another horse')).toMatchObject({ code: 'sign-in-locked' })
    shift += secondMs
    expect(await told(email, 'another horse')).toBe('ok')
  })

  test('is as open as before when its owner’s current password was wrong too often: that is counted by itself', async () => {
    const email = address()
    const me = shop.as(await shop.callerOf(await shop.register(email)))
    const change = (currentPassword: string) =>
      outcome(me.changePassword({ currentPassword, newPassword: 'another horse' }))
    for (let at = 0; at < 5; at += 1) expect(await change('wrong horse')).toBe('wrong-password')
    expect(await change(password)).toBe('sign-in-locked')
    expect(await told(email, password)).toBe('ok')
    expect(await change(password)).toBe('sign-in-locked')
    shift += secondMs
    expect(await change(password)).toBe('ok')
    expect(await told(email, 'another horse')).toBe('ok')
  })

  test('is in no log', async () => {
    const email = address()
    await fail(email, 6)
    expect(shop.system.lines.join('\n')).not.toContain(email)
  })
})

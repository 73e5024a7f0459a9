import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  operator,
  orders,
  outcome,
  password,
  tally,
  type AccountsInTest,
} from './accounts-in-test.suite.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

/** What must hold when many callers, on one host or several, do to one account what excludes one another. */
export const accountsConcurrencySuite = (
  name: string,
  start: () => Promise<{
    readonly hosts: readonly AccountsInTest[]
    /** Moves the clock of all hosts. */
    pass(ms: number): unknown
    end(): Promise<unknown>
  }>,
): void => {
  describe(`accounts under concurrency: ${name}`, () => {
    let running: Awaited<ReturnType<typeof start>>
    const host = (n: number): AccountsInTest => {
      const one = running.hosts[n % running.hosts.length]
      if (one === undefined) throw new Error('the suite needs a host')
      return one
    }
    beforeAll(async () => {
      running = await start()
    }, 60_000)
    afterAll(() => running?.end(), 60_000)

    const email = () => `crowd-${crypto.randomUUID()}@example.org`
    const somebody = async () => {
      const signedIn = await host(0).register(email())
      return { ...signedIn, id: signedIn.user.id, caller: await host(0).callerOf(signedIn) }
    }
    const refresh = (n: number, refreshToken: string) =>
      outcome(host(n).anybody.refresh({ refreshToken }))
    const ended = async () => (await host(0).as(orders).endedSessions({})).sessionIds

    test('of sixty guesses at once, five are judged', async () => {
      const address = email()
      const found = await Promise.all(
        numbers(60).map((n) => outcome(host(n).login(address, `guess ${n}`))),
      )
      expect(tally(found)).toEqual({ 'sign-in-failed': 5, 'sign-in-locked': 55 })
    })

    test('the right password among guesses is found only if it is among the first', async () => {
      for (const at of [0, 20, 59]) {
        const { user } = await somebody()
        const found = await Promise.all(
          numbers(60).map((n) =>
            outcome(host(n).login(user.email, n === at ? password : `guess ${n}`)),
          ),
        )
        const counted = tally(found)
        // It may be judged at once, and then begins the count anew: nine at most, one after the other.
        expect(counted['ok'] ?? 0).toBeLessThanOrEqual(1)
        expect(counted['sign-in-failed']).toBeLessThanOrEqual(counted['ok'] === 1 ? 9 : 5)
        expect(counted['sign-in-locked']).toBeGreaterThanOrEqual(50)
      }
    })

    test('thirty who know the password sign in at once', async () => {
      const { user } = await somebody()
      const found = await Promise.all(numbers(30).map((n) => outcome(host(n).login(user.email))))
      expect(tally(found)).toEqual({ ok: 30 })
    })

    test('many refreshes at once of one token give one pair', async () => {
      const { refreshToken } = await somebody()
      const pairs = await Promise.all(
        numbers(16).map((n) => host(n).anybody.refresh({ refreshToken })),
      )
      expect(new Set(pairs.map((pair) => JSON.stringify(pair))).size).toBe(1)
    })

    test('after a logout no refresh that came with it is good', async () => {
      for (let round = 0; round < 10; round += 1) {
        const { caller, refreshToken } = await somebody()
        const refreshed = host(round + 1)
          .anybody.refresh({ refreshToken })
          .catch(() => undefined)
        await host(round).as(caller).logout({})
        const next = await refreshed
        expect(await refresh(round, refreshToken)).toBe('refresh-refused')
        if (next !== undefined)
          expect(await refresh(round + 1, next.refreshToken)).toBe('refresh-refused')
        expect(await ended()).toContain(caller.session)
      }
    })

    test('one of many resets with one token, or with tokens of one account, wins', async () => {
      const { id, user } = await somebody()
      const tokens: string[] = []
      for (const count of [1, 2, 3]) {
        running.pass(60_000)
        await host(0).anybody.forgotPassword({ email: user.email })
        tokens.push(await host(0).tokenOf('password-reset', id, count))
      }
      const found = await Promise.all(
        numbers(12).map((n) =>
          outcome(
            host(n).anybody.resetPassword({
              token: tokens[n % tokens.length] ?? '',
              password: `chosen by ${n}`,
            }),
          ),
        ),
      )
      expect(tally(found)).toEqual({ 'link-refused': 11, ok: 1 })
      const chosen = `chosen by ${found.indexOf('ok')}`
      expect(await outcome(host(1).login(user.email, chosen))).toBe('ok')
    })

    test('a sign-in and a reset at once leave no session that the reset does not know', async () => {
      for (let round = 0; round < 5; round += 1) {
        const { id, user } = await somebody()
        await host(0).anybody.forgotPassword({ email: user.email })
        const token = await host(0).tokenOf('password-reset', id)
        const signIns = numbers(6).map((n) =>
          host(n)
            .login(user.email)
            .catch(() => undefined),
        )
        const reset = host(round).anybody.resetPassword({ token, password: 'another horse' })
        const signedIn = await Promise.all(signIns)
        await reset
        for (const one of signedIn)
          if (one !== undefined) expect(await refresh(0, one.refreshToken)).toBe('refresh-refused')
      }
    })

    test('a role that is taken away is in no access token that stays good, whoever signs in or refreshes at that moment', async () => {
      for (let round = 0; round < 5; round += 1) {
        const { id, user } = await somebody()
        await host(0)
          .as(operator)
          .appoint({ email: user.email, roles: ['merchant'], evenUnverified: true })
        const before = await host(0).login(user.email)
        const signIns = numbers(4).map((n) => host(n).login(user.email))
        const refreshed = host(1).anybody.refresh({ refreshToken: before.refreshToken })
        const taken = host(round).as(operator).appoint({ email: user.email, roles: [] })
        const made = await Promise.all([...signIns, refreshed])
        await taken
        const dead = await ended()
        for (const one of made) {
          const caller = await host(0).callerOf(one)
          expect(caller.roles.length === 0 || dead.includes(caller.session)).toBe(true)
          const next = await host(1).anybody.refresh({ refreshToken: one.refreshToken })
          expect((await host(1).callerOf(next)).roles).toEqual([])
        }
        await host(0).published('profile.changed', id, 2)
      }
    })

    test('of admins who all go at once, one stays', async () => {
      const admins = await Promise.all(
        numbers(6).map(async (n) => {
          const { user } = await somebody()
          await host(n)
            .as(operator)
            .appoint({ email: user.email, roles: ['admin'], evenUnverified: true })
          const caller = await host(n).callerOf(await host(n).login(user.email))
          return { id: user.id, calls: host(n).as(caller) }
        }),
      )
      const found = await Promise.all(
        admins.map(({ id, calls }, n) =>
          outcome(n % 2 === 0 ? calls.erase({}) : calls.setRoles({ id, roles: [] })),
        ),
      )
      expect(tally(found)).toEqual({ 'last-admin': 1, ok: 5 })
    })

    test('an account is erased once, and whoever signs in at that moment has nothing of it', async () => {
      for (let round = 0; round < 5; round += 1) {
        const { caller, user } = await somebody()
        const signIns = numbers(4).map((n) =>
          host(n)
            .login(user.email)
            .catch(() => undefined),
        )
        const erasures = numbers(3).map((n) => outcome(host(n).as(caller).erase({})))
        const signedIn = await Promise.all(signIns)
        expect(await Promise.all(erasures)).toEqual(['ok', 'ok', 'ok'])
        for (const one of signedIn)
          if (one !== undefined) expect(await refresh(0, one.refreshToken)).toBe('refresh-refused')
        expect(await host(0).published('user.erased', user.id, 1)).toHaveLength(1)
      }
    })

    test('sessions, passwords, roles and profile of one user change at once, and nobody waits for ever', async () => {
      const { caller, user, refreshToken } = await somebody()
      const { id } = user
      const as = (n: number) => host(n).as(caller)
      const found = await Promise.all(
        numbers(48).map((n): Promise<string> => {
          switch (n % 8) {
            case 0:
              return outcome(as(n).changeProfile({ name: `Name ${n}` }))
            case 1:
              return outcome(host(n).login(user.email))
            case 2:
              return outcome(host(n).login(user.email, 'wrong horse'))
            case 3:
              return refresh(n, refreshToken)
            case 4:
              return outcome(
                as(n).changePassword({ currentPassword: password, newPassword: password }),
              )
            case 5:
              return outcome(
                host(n)
                  .as(operator)
                  .appoint({
                    email: user.email,
                    roles: n % 16 === 5 ? ['merchant'] : [],
                    evenUnverified: true,
                  }),
              )
            case 6:
              return outcome(as(n).sessions({}))
            default:
              return outcome(host(n).anybody.forgotPassword({ email: user.email }))
          }
        }),
      )
      const expected = [
        ...['ok', 'sign-in-failed', 'sign-in-locked', 'wrong-password', 'refresh-refused'],
      ]
      expect(found.filter((one) => !expected.includes(one))).toEqual([])
      expect(id).toBe(user.id)
    })
  })
}

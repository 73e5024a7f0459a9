import { describe, expect, test } from 'vitest'
import { pointersOf, problemOf } from '../problem.ts'
import { until } from '../until.ts'
import { claimsOf, type SignedIn, type World } from '../world.ts'

const register = 'POST /api/v1/auth/register'
const login = 'POST /api/v1/auth/login'
const refresh = 'POST /api/v1/auth/refresh'

/** Registering, signing in, trading in refresh tokens, sessions and their ends. */
export const signInSuite = ({ ask, fresh, register: newUser, signIn, customer }: World): void => {
  const me = (token: string) => ask('GET /api/v1/users/me', { as: token })
  /** Within a second of its session's end, a token is refused. */
  const expectDead = async (token: string) => {
    const begun = performance.now()
    const reply = await until(
      () => me(token),
      ({ status }) => status === 401,
    )
    problemOf(reply, 401, 'unauthenticated')
    expect(performance.now() - begun).toBeLessThan(1_000)
  }
  const trade = (refreshToken: string) => ask(refresh, { body: { refreshToken } })

  describe('an account', () => {
    test('is opened by whoever asks, and its tokens are good at once', async () => {
      const email = `${fresh('User')}@Example.org`
      const reply = await ask(register, { body: { email, password: 'long enough', name: 'Ada' } })
      expect(reply.status).toBe(201)
      expect(reply.headers['cache-control']).toBe('no-store')
      const { user, ...tokens } = reply.json<SignedIn>()
      expect(user).toEqual({
        id: expect.any(String),
        email: email.toLowerCase(),
        name: 'Ada',
        roles: [],
      })
      expect(tokens).toEqual({
        accessToken: expect.any(String),
        expiresIn: 600,
        refreshToken: expect.any(String),
      })
      expect((await me(tokens.accessToken)).json()).toMatchObject({ ...user, emailVerified: false })
    })

    test('is one per address, in whichever case it is written', async () => {
      for (const email of [customer.email, ` ${customer.email.toUpperCase()} `])
        problemOf(
          await ask(register, { body: { email, password: 'long enough', name: 'Ada' } }),
          409,
          'email-taken',
          '/api/v1/auth/register',
        )
    })

    test('needs an address, a password of 8 to 256 characters, and a name', async () => {
      const good = { email: `${fresh('user')}@example.org`, password: 'long enough', name: 'Ada' }
      const bad = [
        ['/email', { email: 'nobody' }],
        ['/email', { email: `${'x'.repeat(250)}@example.org` }],
        ['/password', { password: 'seven77' }],
        ['/password', { password: 'x'.repeat(257) }],
        ['/name', { name: '  ' }],
        ['/name', { name: 'x'.repeat(101) }],
        ['/roles', { roles: ['admin'] }],
      ] as const
      for (const [pointer, change] of bad)
        expect(pointersOf(await ask(register, { body: { ...good, ...change } }))).toEqual([pointer])
    })
  })

  describe('signing in', () => {
    test('answers what registering does, under any spelling of the address', async () => {
      const reply = await ask(login, {
        body: { email: customer.email.toUpperCase(), password: customer.password },
      })
      expect(reply.status).toBe(200)
      expect(reply.json<SignedIn>().user).toMatchObject({ id: customer.id, email: customer.email })
      const { accessToken } = reply.json<SignedIn>()
      const { exp, iat, sub, roles } = claimsOf(accessToken)
      expect([Number(exp) - Number(iat), sub, roles]).toEqual([600, customer.id, []])
    })

    test('fails alike for a wrong password and for nobody, and is locked alike after five', async () => {
      const known = await newUser()
      const tries = async (email: string) => {
        const seen: unknown[] = []
        for (let count = 0; count < 6; count++) {
          const reply = await ask(login, { body: { email, password: 'wrong password' } })
          const { correlationId: _, ...problem } = problemOf(reply, count < 5 ? 401 : 429)
          const { 'www-authenticate': challenge, 'retry-after': after } = reply.headers
          seen.push({ problem, challenge, after, length: reply.body.length })
        }
        return seen
      }
      const [wrong, nobody] = [await tries(known.email), await tries(`${fresh('no')}@example.org`)]
      expect(nobody).toEqual(wrong)
      expect(wrong[0]).toMatchObject({ problem: { code: 'sign-in-failed' }, challenge: 'Bearer' })
      expect(wrong[5]).toMatchObject({ problem: { code: 'sign-in-locked' }, after: '1' })
      // The right one is not let in either, until the time is over; others are.
      const right = { email: known.email, password: known.password }
      expect([429, 200]).toContain((await ask(login, { body: right })).status)
      await signIn(customer.email, customer.password)
      const later = await until(
        () => ask(login, { body: right }),
        ({ status }) => status === 200,
      )
      expect(later.status).toBe(200)
    })
  })

  describe('a refresh token', () => {
    test('is traded for a new pair; a lost reply is repeated until the new one is used', async () => {
      const user = await newUser()
      const first = await trade(user.refreshToken)
      expect([first.status, first.headers['cache-control']]).toEqual([200, 'no-store'])
      const next = first.json<SignedIn>()
      expect(next.user).toMatchObject({ id: user.id })
      expect(next.refreshToken).not.toBe(user.refreshToken)
      expect((await me(next.accessToken)).status).toBe(200)
      const repeated = await trade(user.refreshToken)
      expect([repeated.status, repeated.text]).toEqual([200, first.text])
      expect((await trade(next.refreshToken)).status).toBe(200)
    })

    test('that is used after its successor was ends all that came of it', async () => {
      const user = await newUser()
      const second = (await trade(user.refreshToken)).json<SignedIn>()
      const third = (await trade(second.refreshToken)).json<SignedIn>()
      const other = await signIn(user.email, user.password)
      problemOf(await trade(user.refreshToken), 401, 'refresh-refused')
      problemOf(await trade(third.refreshToken), 401, 'refresh-refused')
      await expectDead(third.accessToken)
      await expectDead(user.token)
      expect((await me(other.token)).status).toBe(200)
    })

    test('that nobody gave out is refused', async () => {
      const bad = ['x', customer.token.slice(0, 500), `${customer.refreshToken}x`, 'x'.repeat(500)]
      for (const refreshToken of [...bad, customer.refreshToken.slice(1)]) {
        const reply = await trade(refreshToken)
        problemOf(reply, 401, 'refresh-refused', '/api/v1/auth/refresh')
        expect(reply.headers['www-authenticate']).toMatch(/^Bearer/)
      }
      expect(pointersOf(await trade(''))).toEqual(['/refreshToken'])
    })

    test('is traded once by many at the same moment', async () => {
      const user = await newUser()
      const replies = await Promise.all(Array.from({ length: 6 }, () => trade(user.refreshToken)))
      expect(new Set(replies.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
      expect(replies[0]?.status).toBe(200)
    })
  })

  describe('a session', () => {
    interface Session {
      readonly id: string
      readonly current: boolean
    }
    const sessions = async (token: string) =>
      (await ask('GET /api/v1/auth/sessions', { as: token })).json<{ items: Session[] }>().items

    test('ends when its user logs out, and no other does', async () => {
      const user = await newUser()
      const other = await signIn(user.email, user.password)
      const reply = await ask('POST /api/v1/auth/logout', { as: user })
      expect([reply.status, reply.text]).toEqual([204, ''])
      await expectDead(user.token)
      problemOf(await trade(user.refreshToken), 401, 'refresh-refused')
      problemOf(await ask('POST /api/v1/auth/logout', { as: user }), 401, 'unauthenticated')
      expect((await me(other.token)).status).toBe(200)
      problemOf(await ask('POST /api/v1/auth/logout'), 401, 'unauthenticated')
    })

    test('is listed, the latest first, a page at a time', async () => {
      const user = await newUser()
      const second = await signIn(user.email, user.password)
      const all = await sessions(second.token)
      expect(all.map(({ current }) => current)).toEqual([true, false])
      const first = await ask('GET /api/v1/auth/sessions?limit=1', { as: second })
      const { items, next } = first.json<{ items: Session[]; next: string }>()
      expect(items).toEqual(all.slice(0, 1))
      expect(first.headers['link']).toContain(`cursor=${next}>; rel="next"`)
      const path = `GET /api/v1/auth/sessions?limit=1&cursor=${next}`
      expect((await ask(path, { as: second })).json()).toEqual({ items: all.slice(1) })
    })

    test('is ended from another one, by its user only', async () => {
      const [user, stranger] = [await newUser(), await newUser()]
      const other = await signIn(user.email, user.password)
      const id = (await sessions(other.token)).find(({ current }) => !current)?.id ?? ''
      const end = (as: { token: string }) =>
        ask(`DELETE /api/v1/auth/sessions/${id}`, { as: as.token })
      problemOf(await end(stranger), 404, 'no-such-session')
      expect((await me(user.token)).status).toBe(200)
      expect((await end(other)).status).toBe(204)
      await expectDead(user.token)
      problemOf(await trade(user.refreshToken), 401, 'refresh-refused')
      problemOf(await end(other), 404, 'no-such-session')
      expect(await sessions(other.token)).toHaveLength(1)
    })
  })
}

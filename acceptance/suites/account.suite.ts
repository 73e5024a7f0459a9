import { describe, expect, test } from 'vitest'
import { pointersOf, problemOf } from '../problem.ts'
import { until } from '../until.ts'
import { claimsOf, type SignedIn, type User, type World } from '../world.ts'

const profile = '/api/v1/users/me'
const address = {
  name: 'Ada',
  street: '1 High Street',
  city: 'York',
  postcode: 'YO1',
  country: 'UK',
}

/** Passwords, links in mails, the profile, erasure and roles. */
export const accountSuite = (world: World): void => {
  const { ask, operate, register, signIn, appointed, customer, merchant } = world
  const login = (user: User, password = user.password) =>
    ask('POST /api/v1/auth/login', { body: { email: user.email, password } })
  const alive = async (token: string) => (await ask(`GET ${profile}`, { as: token })).status === 200
  const expectDead = async (token: string) =>
    expect(
      await until(
        () => alive(token),
        (lives) => !lives,
      ),
    ).toBe(false)

  describe('a password', () => {
    const change = (as: User | undefined, currentPassword: string, newPassword: string) =>
      ask('POST /api/v1/auth/password', { as, body: { currentPassword, newPassword } })

    test('is changed by who knows it, which ends the other sessions', async () => {
      const user = await register()
      const other = await signIn(user.email, user.password)
      problemOf(await change(user, 'not the one', 'a new password'), 403, 'wrong-password')
      expect(pointersOf(await change(user, user.password, 'short'))).toEqual(['/newPassword'])
      problemOf(await change(undefined, user.password, 'a new password'), 401, 'unauthenticated')
      expect((await change(user, user.password, 'a newer one')).status).toBe(204)
      expect(await alive(user.token)).toBe(true)
      await expectDead(other.token)
      problemOf(await login(user), 401, 'sign-in-failed')
      expect((await login(user, 'a newer one')).status).toBe(200)
      const mails = await until(
        () => world.mailsTo(user.email),
        (found) => found.length === 2,
      )
      expect(mails.map(({ text }) => text).join()).not.toContain('a newer one')
    })

    test('that is forgotten is set anew, once, through a mail; nobody learns who has an account', async () => {
      const user = await register()
      const forgot = (email: string) =>
        ask('POST /api/v1/auth/password/forgot', { body: { email } })
      const reset = (token: string, password = 'a fresh one') =>
        ask('POST /api/v1/auth/password/reset', { body: { token, password } })
      const [known, unknown] = [await forgot(user.email), await forgot(world.fresh('nobody'))]
      expect([known.status, known.text]).toEqual([202, ''])
      expect([unknown.status, unknown.text]).toEqual([202, ''])
      expect(Object.keys(unknown.headers)).toEqual(Object.keys(known.headers))
      const token = await world.linkTo(user.email, 'reset')
      const verify = await world.linkTo(user.email, 'verify')
      for (const bad of ['x', `${token}x`, token.slice(1), verify])
        problemOf(await reset(bad), 422, 'link-refused')
      expect(pointersOf(await reset(token, 'short'))).toEqual(['/password'])
      expect((await reset(token)).status).toBe(204)
      problemOf(await reset(token, 'another one'), 422, 'link-refused')
      await expectDead(user.token)
      problemOf(await login(user), 401, 'sign-in-failed')
      expect((await login(user, 'a fresh one')).status).toBe(200)
    })

    test('an e-mail address is confirmed through a mail, also twice', async () => {
      const user = await register()
      const verify = (token: string) => ask('POST /api/v1/auth/verify', { body: { token } })
      const token = await world.linkTo(user.email, 'verify')
      for (const bad of ['x', `${token}x`, token.slice(0, -1)])
        problemOf(await verify(bad), 422, 'link-refused')
      expect(pointersOf(await verify(''))).toEqual(['/token'])
      for (const _ of [1, 2]) expect((await verify(token)).status).toBe(204)
      expect((await ask(`GET ${profile}`, { as: user })).json()).toMatchObject({
        emailVerified: true,
      })
    })
  })

  describe('the profile', () => {
    const patch = (as: User, body: object, headers = {}) =>
      ask(`PATCH ${profile}`, { as, body, headers })

    test('is mine, tagged, and shows a change in the next read', async () => {
      const user = await register({ name: 'Ada' })
      const before = await ask(`GET ${profile}`, { as: user })
      expect(before.json()).toEqual({
        id: user.id,
        email: user.email,
        name: 'Ada',
        roles: [],
        emailVerified: false,
      })
      expect(before.headers['cache-control']).toBe('no-store')
      const etag = before.headers['etag'] ?? ''
      const same = await ask(`GET ${profile}`, { as: user, headers: { 'if-none-match': etag } })
      expect([same.status, same.text]).toEqual([304, ''])
      const changed = await patch(user, { name: 'Grace', address })
      expect(changed.json()).toMatchObject({ name: 'Grace', address })
      const after = await ask(`GET ${profile}`, { as: user })
      expect([after.text, after.headers['etag']]).toEqual([changed.text, changed.headers['etag']])
      expect(after.headers['etag']).not.toBe(etag)
    })

    test('is changed by a merge patch, of the version that was read if one is named', async () => {
      const user = await register()
      const type = { 'content-type': 'application/merge-patch+json' }
      expect((await patch(user, { address }, type)).status).toBe(200)
      expect((await patch(user, { address: { city: 'Leeds' } })).json()).toMatchObject({
        address: { ...address, city: 'Leeds' },
      })
      const { headers } = await ask(`GET ${profile}`, { as: user })
      const ifMatch = { 'if-match': headers['etag'] ?? '' }
      expect((await patch(user, { name: 'One' }, ifMatch)).status).toBe(200)
      problemOf(await patch(user, { name: 'Two' }, ifMatch), 412, 'precondition-failed', profile)
      expect((await patch(user, { name: 'Three' }, { 'if-match': '*' })).status).toBe(200)
      expect((await patch(user, { address: null })).json()).not.toHaveProperty('address')
      const bad = [
        [{ name: null }, '/name'],
        [{ name: '' }, '/name'],
        [{ email: 'other@example.org' }, '/email'],
        [{ roles: ['admin'] }, '/roles'],
        [{ ifMatch: '*' }, '/ifMatch'],
        [{ address: { city: 'Leeds' } }, '/address/name'],
      ] as const
      for (const [body, pointer] of bad)
        expect(pointersOf(await patch(user, body))).toContain(pointer)
      expect((await ask(`GET ${profile}`, { as: user })).json()).toMatchObject({ name: 'Three' })
    })

    test('of two changes of one version at the same moment one is refused', async () => {
      const user = await register()
      const { headers } = await ask(`GET ${profile}`, { as: user })
      const names = ['A', 'B', 'C', 'D']
      const replies = await Promise.all(
        names.map((name) => patch(user, { name }, { 'if-match': headers['etag'] ?? '' })),
      )
      expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
        200, 412, 412, 412,
      ])
    })

    test('is erased with all that it says; orders stay, and are nobody’s', async () => {
      const user = await register({ name: 'Vanishing Vera' })
      const sku = await world.product({ onHand: 5 })
      const order = await world.place(user, [{ sku, quantity: 1 }], { shipTo: address })
      const { id } = order.json<{ id: string }>()
      await world.settled(user, id)
      const stale = { 'if-match': '"stale"' }
      problemOf(await ask(`DELETE ${profile}`, { as: user, headers: stale }), 412)
      expect((await ask(`DELETE ${profile}`, { as: user })).status).toBe(204)
      await expectDead(user.token)
      problemOf(await login(user), 401, 'sign-in-failed')
      problemOf(
        await ask('POST /api/v1/auth/refresh', { body: { refreshToken: user.refreshToken } }),
        401,
        'refresh-refused',
      )
      const path = `GET /api/v1/admin/orders?customer=${user.id}`
      const left = await until(
        () => ask(path, { as: merchant }),
        ({ text }) => !text.includes('High Street'),
      )
      expect(left.json<{ items: { id: string }[] }>().items.map((one) => one.id)).toEqual([id])
      expect(left.text).not.toMatch(/High Street|Vera/)
      // The address is free again.
      expect((await register({ email: user.email })).id).not.toBe(user.id)
    })
  })

  describe('roles', () => {
    const setRoles = (as: User, id: string, roles: unknown) =>
      ask(`PUT /api/v1/users/${id}/roles`, { as, body: { roles } })

    test('are given and taken by an admin, which tokens show within a second', async () => {
      const [admin, user] = [await appointed('admin'), await register()]
      const given = await setRoles(admin, user.id, ['merchant'])
      expect([given.status, given.json()]).toEqual([200, { roles: ['merchant'] }])
      const reply = await ask('POST /api/v1/auth/refresh', {
        body: { refreshToken: user.refreshToken },
      })
      const { accessToken } = reply.json<SignedIn>()
      expect(claimsOf(accessToken)['roles']).toEqual(['merchant'])
      expect((await ask('GET /api/v1/admin/orders?limit=1', { as: accessToken })).status).toBe(200)
      expect((await setRoles(admin, user.id, [])).json()).toEqual({ roles: [] })
      const begun = performance.now()
      await expectDead(accessToken)
      expect(performance.now() - begun).toBeLessThan(1_000)
    })

    test('are for admins only, of users that are there, and of those that there are', async () => {
      const admin = await appointed('admin')
      for (const as of [customer, merchant])
        problemOf(await setRoles(as, customer.id, ['admin']), 403, 'forbidden')
      problemOf(await setRoles(admin, 'nobody', []), 404, 'no-such-user')
      for (const roles of [['owner'], ['admin', 'merchant', 'admin'], 'admin', [1]])
        expect(pointersOf(await setRoles(admin, customer.id, roles))[0]).toMatch(/^\/roles/)
      const appoint = (email: string, roles: readonly string[] = []) =>
        operate('PUT /operator/v1/users/roles', { email, roles })
      problemOf(await appoint(customer.email, ['admin']), 409, 'email-not-verified')
      problemOf(await appoint(world.fresh('nobody')), 404, 'no-such-user')
      expect((await appoint(customer.email)).json()).toMatchObject({ id: customer.id, roles: [] })
    })
  })
}

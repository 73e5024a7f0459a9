import { systemEnv } from 'serval'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  httpTo,
  operator,
  orders,
  outcome,
  startAccounts,
  type AccountsInTest,
} from '../accounts-in-test.suite.ts'
import type { Role } from '../user.ts'

let shift = 0
const env = { ...systemEnv(), now: () => Date.now() + shift }
let shop: AccountsInTest
/** Done in the middle of the next sign-in or refresh. */
let meanwhile: () => Promise<unknown> = () => Promise.resolve()
beforeAll(async () => {
  const signing = () => {
    const now = meanwhile
    meanwhile = () => Promise.resolve()
    return now()
  }
  shop = await startAccounts({ env, signing })
})
afterAll(() => shop.system.end())

const appoint = (email: string, roles: Role[]) =>
  shop.as(operator).appoint({ email, roles, evenUnverified: true })
/** Somebody who signed in with these roles. */
const somebody = async (...roles: Role[]) => {
  const { user } = await shop.register()
  if (roles.length > 0) await appoint(user.email, roles)
  const signedIn = await shop.login(user.email)
  const caller = await shop.callerOf(signedIn)
  return { ...signedIn, id: user.id, email: user.email, caller, calls: shop.as(caller) }
}
const ended = async () => (await shop.as(orders).endedSessions({})).sessionIds

describe('an admin', () => {
  test('gives a role, which the next access token bears; the session goes on', async () => {
    const [admin, ada] = [await somebody('admin'), await somebody()]
    expect(await admin.calls.setRoles({ id: ada.id, roles: ['merchant', 'merchant'] })).toEqual({
      roles: ['merchant'],
    })
    const next = await shop.anybody.refresh({ refreshToken: ada.refreshToken })
    expect(next.user.roles).toEqual(['merchant'])
    expect(await shop.callerOf(next)).toEqual({ ...ada.caller, roles: ['merchant'] })
    expect(await ended()).not.toContain(ada.caller.session)
    expect(await ada.calls.profile({})).toMatchObject({ roles: ['merchant'] })
  })

  test('takes a role away: the access tokens that bear it end at once, the sessions go on', async () => {
    const [admin, ada] = [await somebody('admin'), await somebody('merchant')]
    const other = await shop.login(ada.email)
    await admin.calls.setRoles({ id: ada.id, roles: [] })
    const gone = [ada.caller.session, (await shop.callerOf(other)).session]
    const events = await shop.published('session.ended', ada.id, 3)
    expect(events.map(({ data }) => data['sessionId'])).toEqual(expect.arrayContaining(gone))
    expect(await ended()).toEqual(expect.arrayContaining(gone))

    const next = await shop.anybody.refresh({ refreshToken: ada.refreshToken })
    const caller = await shop.callerOf(next)
    expect(caller.roles).toEqual([])
    expect(gone).not.toContain(caller.session)
    const mine = await shop.as(caller).sessions({})
    expect(mine.items.filter((one) => one.current)).toHaveLength(1)
    await shop.as(caller).logout({})
    expect(await ended()).toContain(caller.session)
    expect(await outcome(shop.anybody.refresh({ refreshToken: next.refreshToken }))).toBe(
      'refresh-refused',
    )
  })

  test('takes a role away between a refresh and its repeat: the repeat’s access token is no good, the session is', async () => {
    const [admin, ada] = [await somebody('admin'), await somebody('merchant')]
    await shop.anybody.refresh({ refreshToken: ada.refreshToken })
    await admin.calls.setRoles({ id: ada.id, roles: [] })
    const repeated = await shop.anybody.refresh({ refreshToken: ada.refreshToken })
    expect(await ended()).toContain((await shop.callerOf(repeated)).session)
    const next = await shop.anybody.refresh({ refreshToken: repeated.refreshToken })
    expect((await shop.callerOf(next)).roles).toEqual([])
  })

  test.each(['an idle session', 'a session in use'])(
    'takes a role away while %s is refreshed: the new access token does not bear it, or is no good',
    async (which) => {
      const ada = await somebody('merchant')
      if (which === 'an idle session') shift += 3_600_000
      meanwhile = () => appoint(ada.email, [])
      const next = await shop.anybody.refresh({ refreshToken: ada.refreshToken })
      const caller = await shop.callerOf(next)
      expect(caller.roles.length === 0 || (await ended()).includes(caller.session)).toBe(true)
    },
  )

  test('takes a role away while its bearer signs in: the access token is no good', async () => {
    const ada = await somebody('merchant')
    meanwhile = () => appoint(ada.email, [])
    const caller = await shop.callerOf(await shop.login(ada.email))
    expect(await ended()).toContain(caller.session)
  })

  test('changes nothing by giving what is there', async () => {
    const [admin, ada] = [await somebody('admin'), await somebody('merchant', 'admin')]
    await shop.published('profile.changed', ada.id, 1)
    expect(await admin.calls.setRoles({ id: ada.id, roles: ['admin', 'merchant'] })).toEqual({
      roles: ['merchant', 'admin'],
    })
    expect(await ended()).not.toContain(ada.caller.session)
  })

  test('is the only one who may, of users that there are, and roles that there are', async () => {
    const [admin, ada] = [await somebody('admin'), await somebody('merchant')]
    expect(await outcome(ada.calls.setRoles({ id: ada.id, roles: ['admin'] }))).toBe('forbidden')
    expect(await outcome(admin.calls.setRoles({ id: 'none', roles: [] }))).toBe('no-such-user')
    const http = httpTo(shop)
    const put = (roles: unknown) =>
      http('PUT', `/api/v1/users/${ada.id}/roles`, { token: admin.accessToken, body: { roles } })
    expect((await put(['emperor'])).status).toBe(400)
    expect(await put(['admin'])).toMatchObject({ status: 200, json: { roles: ['admin'] } })
    await ada.calls.erase({})
    expect(await outcome(admin.calls.setRoles({ id: ada.id, roles: [] }))).toBe('no-such-user')
  })
})

describe('the operator', () => {
  test('makes an admin by address, when somebody who reads its mail has confirmed it', async () => {
    const { user } = await shop.register()
    const { id } = user
    const given = { email: ` ${user.email.toUpperCase()}`, roles: ['admin' as const] }
    expect(await outcome(shop.as(operator).appoint(given))).toBe('email-not-verified')
    expect((await shop.login(user.email)).user.roles).toEqual([])
    await shop.anybody.verifyEmail({ token: await shop.tokenOf('email-verification', id) })
    expect(await shop.as(operator).appoint(given)).toEqual({
      id,
      roles: ['admin'],
      emailVerified: true,
    })
    expect(await outcome(appoint('nobody@example.org', ['admin']))).toBe('no-such-user')
  })

  test('says so when an account gets a role though its address is not confirmed; to take one away, that matters not', async () => {
    const { user } = await shop.register()
    const { id, email } = user
    expect(await appoint(email, ['merchant'])).toEqual({
      id,
      roles: ['merchant'],
      emailVerified: false,
    })
    const plainly = (roles: Role[]) => outcome(shop.as(operator).appoint({ email, roles }))
    expect(await plainly(['merchant', 'admin'])).toBe('email-not-verified')
    expect(await plainly(['merchant'])).toBe('ok')
    expect(await plainly([])).toBe('ok')
  })

  test('is the only one who appoints', async () => {
    const admin = await somebody('admin')
    const given = { email: admin.email, roles: [] }
    expect(await outcome(admin.calls.appoint(given))).toBe('forbidden')
    expect(await outcome(shop.as(orders).appoint(given))).toBe('forbidden')
  })
})

test('the last admin stays, whether the role is given back or the account is to be closed', async () => {
  const one = await startAccounts({ env })
  const { user } = await one.register()
  const { id, email } = user
  await one.as(operator).appoint({ email, roles: ['admin'], evenUnverified: true })
  const admin = one.as(await one.callerOf(await one.login(email)))
  expect(await outcome(admin.setRoles({ id, roles: [] }))).toBe('last-admin')
  expect(await outcome(admin.erase({}))).toBe('last-admin')
  // The operator may: an account that was taken over must not stay an admin's.
  expect(await one.as(operator).appoint({ email, roles: [] })).toMatchObject({ roles: [] })
  await one.system.end()
})

import { systemEnv } from 'serval'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { orders, outcome, startAccounts, type AccountsInTest } from '../accounts-in-test.suite.ts'

let shift = 0
const env = { ...systemEnv(), now: () => Date.now() + shift }
const dayMs = 86_400_000

let shop: AccountsInTest
beforeAll(async () => {
  shop = await startAccounts({ env })
})
afterAll(() => shop.system.end())

const verify = (token: string) => outcome(shop.anybody.verifyEmail({ token }))

test('an address is confirmed by the token of the mail that registering asks for, also the second time', async () => {
  const signedIn = await shop.register()
  const me = shop.as(await shop.callerOf(signedIn))
  expect(await me.profile({})).toMatchObject({ emailVerified: false })
  const token = await shop.tokenOf('email-verification', signedIn.user.id)
  expect(await verify(token)).toBe('ok')
  expect(await me.profile({})).toMatchObject({ emailVerified: true })
  expect(await verify(token)).toBe('ok')
  expect(await shop.published('profile.changed', signedIn.user.id, 1)).toHaveLength(1)
})

test('an address is not confirmed by another token, nor after three days', async () => {
  const { user } = await shop.register()
  const token = await shop.tokenOf('email-verification', user.id)
  const [request = ''] = token.split('.')
  await shop.anybody.forgotPassword({ email: user.email })
  const reset = await shop.tokenOf('password-reset', user.id)
  const forged = Buffer.from(env.bytes(32)).toString('base64url')
  for (const text of [`${request}.${forged}`, request, reset, 'x', `${token}x`])
    expect(await verify(text)).toBe('link-refused')
  shift += 3 * dayMs
  expect(await verify(token)).toBe('link-refused')
})

test('an account that is provided counts as confirmed, and gets no mail', async () => {
  const email = 'provided@example.org'
  const given = { email, password: 'correct horse', name: 'Demo', roles: [] }
  await shop.as(orders).provide(given)
  const signedIn = await shop.login(email)
  const me = shop.as(await shop.callerOf(signedIn))
  expect(await me.profile({})).toMatchObject({ emailVerified: true })
  await shop.register()
  expect(shop.heard.filter(({ data }) => data['userId'] === signedIn.user.id)).toEqual([])
})

test('what a mail holds is told to services only', async () => {
  const { user } = await shop.register()
  const [asked] = await shop.published('mail.requested', user.id, 1)
  const requestId = asked?.data['requestId'] ?? ''
  expect(await outcome(shop.anybody.mail({ requestId }))).not.toBe('ok')
  const self = { kind: 'user', id: user.id, roles: ['admin'], session: 's' } as const
  expect(await outcome(shop.as(self).mail({ requestId }))).toBe('forbidden')
  expect(await outcome(shop.as(orders).mail({ requestId: 'none' }))).toBe('nothing-to-send')
})

import { systemEnv } from 'serval'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  orders,
  outcome,
  password,
  startAccounts,
  type AccountsInTest,
} from '../accounts-in-test.suite.ts'

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

const mailsTo = (ids: readonly string[]) =>
  shop.heard.filter(
    ({ type, data }) => type === 'mail.requested' && ids.includes(data['userId'] ?? ''),
  ).length
/** What was asked for before is published when this is. */
const somebodyElse = async () => {
  const { user } = await shop.register()
  await shop.published('mail.requested', user.id, 1)
}

test('an address that nobody confirmed gets five mails a day, however often accounts under it are opened and closed', async () => {
  const email = 'stranger@example.org'
  const ids: string[] = []
  const openAndClose = async () => {
    const opened = await shop.register(email)
    ids.push(opened.user.id)
    await shop.as(await shop.callerOf(opened)).erase({})
  }
  for (let at = 0; at < 8; at += 1) await openAndClose()
  await somebodyElse()
  expect(mailsTo(ids)).toBe(5)
  // It is the address that is counted, and all that is said of its account.
  const opened = await shop.register(` ${email.toUpperCase()}`)
  ids.push(opened.user.id)
  await shop.anybody.forgotPassword({ email })
  const me = shop.as(await shop.callerOf(opened))
  await me.changePassword({ currentPassword: password, newPassword: 'another horse' })
  await me.erase({})
  await somebodyElse()
  expect(mailsTo(ids)).toBe(5)
  shift += dayMs + 1
  await openAndClose()
  await somebodyElse()
  expect(mailsTo(ids)).toBe(6)
})

test('an address that was confirmed gets what its account has to say', async () => {
  const { user } = await shop.register()
  await verify(await shop.tokenOf('email-verification', user.id))
  const me = shop.as(await shop.callerOf(await shop.login(user.email)))
  let current = password
  for (let at = 0; at < 7; at += 1) {
    const next = `horse number ${at}`
    await me.changePassword({ currentPassword: current, newPassword: next })
    current = next
  }
  await shop.tokenOf('password-changed', user.id, 7)
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

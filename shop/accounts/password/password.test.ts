import { systemEnv } from 'serval'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  httpTo,
  orders,
  outcome,
  password,
  startAccounts,
  tally,
  type AccountsInTest,
} from '../accounts-in-test.suite.ts'

let shift = 0
const env = { ...systemEnv(), now: () => Date.now() + shift }
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const newPassword = 'another horse'

let shop: AccountsInTest
beforeAll(async () => {
  shop = await startAccounts({ env })
})
afterAll(() => shop.system.end())

const signIn = (email: string, typed: string) => outcome(shop.login(email, typed))
const refreshed = (refreshToken: string) => outcome(shop.anybody.refresh({ refreshToken }))
const forgot = (email: string) => shop.anybody.forgotPassword({ email })
const reset = (token: string, chosen = newPassword) =>
  outcome(shop.anybody.resetPassword({ token, password: chosen }))
/** The jobs that were set before this one have run when its mail is asked for. */
const jobsDone = async () => {
  const { user } = await shop.register()
  await forgot(user.email)
  await shop.tokenOf('password-reset', user.id)
}

describe('a change of the password', () => {
  test('ends the other sessions, and says so by mail', async () => {
    const first = await shop.register()
    const { email, id } = first.user
    const other = await shop.login(email)
    const me = shop.as(await shop.callerOf(first))
    await me.changePassword({ currentPassword: password, newPassword })
    expect(await signIn(email, password)).toBe('sign-in-failed')
    expect(await signIn(email, newPassword)).toBe('ok')
    expect(await refreshed(first.refreshToken)).toBe('ok')
    expect(await refreshed(other.refreshToken)).toBe('refresh-refused')
    const [ended] = await shop.published('session.ended', id, 1)
    expect(ended?.data['sessionId']).toBe((await shop.callerOf(other)).session)
    const mails = await shop.published('mail.requested', id, 2)
    expect(mails.map(({ data }) => data['kind'])).toEqual([
      'email-verification',
      'password-changed',
    ])
  })

  test('needs the current one; a wrong one is no reason to refresh the access token', async () => {
    const first = await shop.register()
    const http = httpTo(shop)
    const change = (currentPassword: string, chosen: string) =>
      http('POST', '/api/v1/auth/password', {
        token: first.accessToken,
        body: { currentPassword, newPassword: chosen },
      })
    expect(await change('wrong horse', newPassword)).toMatchObject({
      status: 403,
      json: { code: 'wrong-password' },
    })
    expect(await change(password, 'short')).toMatchObject({
      status: 400,
      json: { errors: [{ pointer: '/newPassword' }] },
    })
    expect((await change(password, newPassword)).status).toBe(204)
  })

  test('costs a wrong password as many hashes as the right one', async () => {
    const me = shop.as(await shop.callerOf(await shop.register()))
    const cost = async (currentPassword: string) => {
      shop.hashed.length = 0
      await outcome(me.changePassword({ currentPassword, newPassword }))
      return [...shop.hashed]
    }
    expect(await cost('wrong horse')).toEqual(['verify', 'hash'])
    expect(await cost(password)).toEqual(['verify', 'hash'])
  })
})

describe('a forgotten password', () => {
  test('is set anew by the token of a mail: all sessions end, and the lock-out', async () => {
    const first = await shop.register()
    const { email, id } = first.user
    for (let at = 0; at < 5; at += 1) await signIn(email, 'wrong horse')
    expect(await signIn(email, password)).toBe('sign-in-locked')
    await forgot(`  ${email.toUpperCase()}`)
    const token = await shop.tokenOf('password-reset', id)
    expect(await reset(token)).toBe('ok')
    expect(await signIn(email, newPassword)).toBe('ok')
    expect(await signIn(email, password)).toBe('sign-in-failed')
    expect(await refreshed(first.refreshToken)).toBe('refresh-refused')
    expect(await shop.published('session.ended', id, 1)).toHaveLength(1)
    await shop.tokenOf('password-changed', id)
  })

  test('confirms the address that the mail went to', async () => {
    const { user } = await shop.register()
    await forgot(user.email)
    expect(await reset(await shop.tokenOf('password-reset', user.id))).toBe('ok')
    const me = shop.as(await shop.callerOf(await shop.login(user.email, newPassword)))
    expect(await me.profile({})).toMatchObject({ emailVerified: true })
  })

  test('is set once with a token, and with the first of several only', async () => {
    const { user } = await shop.register()
    const tokens: string[] = []
    for (let count = 1; count <= 3; count += 1) {
      shift += minuteMs
      await forgot(user.email)
      tokens.push(await shop.tokenOf('password-reset', user.id, count))
    }
    const [first = '', second = '', third = ''] = tokens
    expect(new Set(tokens).size).toBe(3)
    expect(await reset(second)).toBe('ok')
    for (const token of [first, second, third])
      expect(await reset(token, 'a third horse')).toBe('link-refused')
    expect(await signIn(user.email, newPassword)).toBe('ok')
  })

  test('is set once when one token comes eight times at once', async () => {
    const { user } = await shop.register()
    await forgot(user.email)
    const token = await shop.tokenOf('password-reset', user.id)
    const chosen = Array.from({ length: 8 }, (_, at) => `horse number ${at}`)
    const found = await Promise.all(chosen.map((one) => reset(token, one)))
    expect(tally(found)).toEqual({ ok: 1, 'link-refused': 7 })
    expect(await signIn(user.email, chosen[found.indexOf('ok')] ?? '')).toBe('ok')
  })

  test('is not set an hour later, nor after the password was changed, nor with a token that was made up', async () => {
    const { user } = await shop.register()
    const { email, id } = user
    await forgot(email)
    const late = await shop.tokenOf('password-reset', id)
    shift += hourMs
    expect(await reset(late)).toBe('link-refused')
    await forgot(email)
    const token = await shop.tokenOf('password-reset', id, 2)
    const [request = '', mac = ''] = token.split('.')
    const verification = await shop.tokenOf('email-verification', id)
    const forged = Buffer.from(env.bytes(32)).toString('base64url')
    const made = [
      `${request}.${forged}`,
      `${request}.${mac.slice(0, -1)}`,
      `${env.id()}.${mac}`,
      request,
      verification,
      `${token}=`,
      'x',
    ]
    for (const text of made) expect(await reset(text)).toBe('link-refused')
    const me = shop.as(await shop.callerOf(await shop.login(email)))
    await me.changePassword({ currentPassword: password, newPassword })
    expect(await reset(token)).toBe('link-refused')
  })

  test('costs no hash when its token is not good', async () => {
    shop.hashed.length = 0
    await reset(`${env.id()}.${Buffer.from(env.bytes(32)).toString('base64url')}`)
    expect(shop.hashed).toEqual([])
  })

  const ask = async (email: string, times = 1) => {
    for (let at = 0; at < times; at += 1) {
      await forgot(email)
      await jobsDone()
    }
  }
  /** How many mails there are, when there are so many. */
  const sent = async (id: string, count: number) => {
    await shop.tokenOf('password-reset', id, count)
    return shop.heard.filter(
      ({ data }) => data['userId'] === id && data['kind'] === 'password-reset',
    ).length
  }

  test('sends three mails an hour at most', async () => {
    const { email, id } = (await shop.register()).user
    for (let at = 0; at < 5; at += 1) {
      shift += minuteMs
      await ask(email)
    }
    expect(await sent(id, 3)).toBe(3)
    shift += hourMs
    await ask(email)
    expect(await sent(id, 4)).toBe(4)
  })

  test('sends one mail to whoever asks again within a minute, unless its link was used', async () => {
    const { email, id } = (await shop.register()).user
    await ask(email, 3)
    expect(await sent(id, 1)).toBe(1)
    expect(await reset(await shop.tokenOf('password-reset', id))).toBe('ok')
    await ask(email)
    expect(await sent(id, 2)).toBe(2)
    shift += minuteMs
    await ask(email)
    expect(await sent(id, 3)).toBe(3)
  })

  test('is answered alike whether or not there is an account', async () => {
    const http = httpTo(shop)
    const { user } = await shop.register()
    const ask = async (email: string) => {
      const { status, headers, json } = await http('POST', '/api/v1/auth/password/forgot', {
        body: { email },
      })
      const { 'x-request-id': _, ...rest } = headers
      return { status, headers: rest, json }
    }
    const known = await ask(user.email)
    expect(known.status).toBe(202)
    expect(await ask('nobody@example.org')).toEqual(known)
    expect(await ask('no address')).toEqual(known)
    await shop.tokenOf('password-reset', user.id)
  })
})

test('a link leads to the shop’s page, is the same each time, and lives as long as its request', async () => {
  const { user } = await shop.register()
  await forgot(user.email)
  await shop.tokenOf('password-reset', user.id)
  const requests = await shop.published('mail.requested', user.id, 2)
  const requestId = requests[1]?.data['requestId'] ?? ''
  const ask = () => shop.as(orders).mail({ requestId })
  const { email, link } = await ask()
  expect(email).toBe(user.email)
  expect(link).toMatch(/^https:\/\/shop\.test\/reset#token=[0-9a-f-]{36}\.[\w-]{43}$/)
  expect(await ask()).toEqual({ email, link })
  expect(JSON.stringify(shop.heard)).not.toContain(link?.split('.').at(-1) ?? '')
  shift += hourMs
  expect(await outcome(ask())).toBe('nothing-to-send')
})

test('neither logs nor events hold a password, a token or an address', async () => {
  const first = await shop.register('hush@example.org')
  await forgot('hush@example.org')
  const token = await shop.tokenOf('password-reset', first.user.id)
  await reset(`${token}x`)
  await reset(token)
  const me = shop.as(await shop.callerOf(await shop.login('hush@example.org', newPassword)))
  await outcome(me.changePassword({ currentPassword: 'guessed', newPassword: 'a third horse' }))
  const told = [...shop.system.lines, JSON.stringify(shop.heard)].join('\n')
  for (const secret of ['hush@', token, newPassword, 'guessed', 'a third horse', '$argon2id'])
    expect(told).not.toContain(secret)
})

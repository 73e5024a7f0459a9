import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { skippedSuite } from './api.suite.ts'
import {
  dropDatabases,
  postgresUrl,
  storedRows,
  uniquePrefix,
  whyNoPostgres,
} from './postgres-databases.ts'
import { bearer, send, type Reply, type RequestParts } from './raw-http.ts'
import { killAll, startShop } from './shop-process.ts'
import { until } from './until.ts'
import type { SignedIn } from './world.ts'

/*
 * Secrets that can be recognised are sent through every path that takes one, the wrong ones and failures included, and the
 * process is killed in the middle. Afterwards none of them is in a log at its most talkative, in an event or any other row,
 * or in a reply but the one that is there to carry it. What is personal is in no event and no log.
 */

const data = mkdtempSync(join(tmpdir(), 'serval-secrets-'))
const prefix = uniquePrefix()
afterAll(async () => {
  await killAll()
  if (postgresUrl !== undefined) await dropDatabases(postgresUrl, prefix)
  rmSync(data, { recursive: true, force: true })
})

const random = () => randomBytes(9).toString('hex')
const start = (url: string) =>
  startShop({
    data,
    setup: 'big-cat',
    env: { SERVAL_DATABASE_URL: url, SERVAL_DATABASE_PREFIX: prefix, SERVAL_LOG: 'debug' },
  })

interface Heard {
  readonly what: string
  readonly text: string
  /** What it is there to carry. */
  readonly carries: readonly string[]
}

const run = async (url: string) => {
  let shop = await start(url)
  const secrets = new Map<string, string>()
  const personal = new Map<string, string>()
  const heard: Heard[] = []
  let logs = ''

  const keep = (what: string, value: string) => {
    secrets.set(`${what} ${secrets.size}`, value)
    return value
  }
  /** Its beginning is looked for too: a text that is cut must not tell either. */
  const canary = (what: string) => {
    const value = `q${random()}-${what}`
    keep(`the beginning of a ${what}`, value.slice(0, 8))
    return keep(what, value)
  }
  const own = (what: string, value: string) => {
    personal.set(what, value)
    return value
  }

  const hear = async (
    at: string,
    parts: RequestParts,
    carriedBy: (reply: Reply) => readonly string[] = () => [],
  ): Promise<Reply> => {
    const reply = await send(at, parts)
    const text = `${Object.entries(reply.headers).flat().join('\n')}\n${reply.text}`
    const what = `${parts.method ?? 'GET'} ${parts.path} → ${reply.status}`
    heard.push({ what, text, carries: carriedBy(reply) })
    return reply
  }
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    hear(shop.address, { method: 'POST', path: `/api/v1/${path}`, body, headers })
  /** A reply that carries a pair of tokens, which are secrets from now on. */
  const signIn = async (path: string, body: unknown): Promise<SignedIn> => {
    const reply = await hear(
      shop.address,
      { method: 'POST', path: `/api/v1/auth/${path}`, body },
      (one) => {
        if (one.status >= 300) return []
        const { accessToken, refreshToken } = one.json<SignedIn>()
        return [keep('access token', accessToken), keep('refresh token', refreshToken)]
      },
    )
    expect([reply.status, reply.text]).toEqual([
      path === 'register' ? 201 : 200,
      expect.any(String),
    ])
    return reply.json<SignedIn>()
  }
  const get = (path: string, token: string) =>
    hear(shop.address, { path: `/api/v1/${path}`, headers: bearer(token) })
  const operate = (path: string, key = shop.operatorKey) =>
    hear(shop.operator, {
      path: `/operator/v1/${path}`,
      headers: { 'x-serval-operator': key },
    })
  /** Links are carried by mails, which the operator may read here. */
  const linkTo = async (email: string, page: string): Promise<string> => {
    const tokens = async () => {
      const path = `/operator/v1/mails?to=${encodeURIComponent(email)}`
      const headers = { 'x-serval-operator': shop.operatorKey }
      const { text } = await send(shop.operator, { path, headers })
      return [...text.matchAll(new RegExp(`/${page}#token=([\\w.-]+)`, 'g'))].map(([, one]) => one)
    }
    const [newest = ''] = await until(tokens, (found) => found.length > 0)
    expect(newest).not.toBe('')
    return keep(`${page} link`, newest)
  }
  const order = (token: unknown, key: string, as: string, more: object = {}) =>
    post(
      'orders',
      { lines: [{ sku: 'BED-0001', quantity: 1 }], payment: { token }, ...more },
      { ...bearer(as), 'idempotency-key': key },
    )

  keep('operator key', shop.operatorKey)
  keep('master secret', readFileSync(join(data, 'secret'), 'utf8').trim())

  // Opening an account, rightly and wrongly.
  const email = own('address', `${random()}@example.org`)
  const name = own('name', `Name ${random()}`)
  const password = canary('password')
  const account = await signIn('register', { email, password, name })
  await post('auth/register', { email, password, name })
  for (const wrong of [
    { email, password, name: '' },
    { email, password, name, extra: password },
    { email, password: [password], name },
    { email, password: { password }, name },
    { email, password: password.repeat(12), name },
    { email: password, password: password.slice(0, 7), name },
  ])
    await post('auth/register', wrong)
  const json = { 'content-type': 'application/json' }
  for (const broken of [
    `{"email":"${email}","password":"${password}`,
    `{"password":"${password}",}`,
    `{"password":${password}}`,
    `{password:"${password}"}`,
    `{'password':'${password}'}`,
    `{"password":"${password}"} ${password}`,
    password,
    `"${password}"`,
    `["${password}"]`,
  ])
    for (const path of ['auth/register', 'auth/login']) await post(path, broken, json)
  await post('auth/login', `password=${password}`, {
    'content-type': 'application/x-www-form-urlencoded',
  })

  // Signing in and out, and trading in.
  const again = await signIn('login', { email, password })
  const wrong = canary('wrong-password')
  for (let count = 0; count < 6; count++) await post('auth/login', { email, password: wrong })
  for (let count = 0; count < 6; count++)
    await post('auth/login', { email: `${random()}@example.org`, password: wrong })
  const traded = await signIn('refresh', { refreshToken: again.refreshToken })
  await signIn('refresh', { refreshToken: again.refreshToken })
  const later = await signIn('refresh', { refreshToken: traded.refreshToken })
  for (const refreshToken of [again.refreshToken, later.refreshToken, later.accessToken, 1])
    await post('auth/refresh', { refreshToken })
  await post('auth/refresh', { refreshToken: `${account.refreshToken}${account.refreshToken}` })
  await post('auth/refresh', { refresh_token: account.refreshToken })
  for (const authorization of [
    `Basic ${Buffer.from(`${email}:${password}`).toString('base64')}`,
    `Bearer ${later.accessToken}`,
    `Bearer ${account.accessToken}x`,
    `Bearer ${account.accessToken} ${account.refreshToken}`,
    account.accessToken,
  ])
    await hear(shop.address, { path: '/api/v1/users/me', headers: { authorization } })
  await hear(shop.address, { path: `/api/v1/users/me?access_token=${account.accessToken}` })
  for (const path of ['users/me', 'auth/sessions', 'notifications', 'orders'])
    await get(path, account.accessToken)

  // Passwords and links.
  const newPassword = canary('new-password')
  const change = (currentPassword: unknown, other: unknown) =>
    post('auth/password', { currentPassword, newPassword: other }, bearer(account.accessToken))
  await change(wrong, newPassword)
  await change(password, newPassword.slice(0, 5))
  await change([password], newPassword)
  await until(
    () => change(password, newPassword),
    ({ status }) => status === 204,
  )
  await post('auth/password/forgot', { email })
  await post('auth/verify', { token: await linkTo(email, 'verify') })
  const reset = await linkTo(email, 'reset')
  const resetPassword = canary('reset-password')
  for (const token of [`${reset}x`, reset.slice(1), [reset]])
    await post('auth/password/reset', { token, password: resetPassword })
  await post('auth/password/reset', { token: reset, password: 'short' })
  expect(
    (await post('auth/password/reset', { token: reset, password: resetPassword })).status,
  ).toBe(204)
  await post('auth/password/reset', { token: reset, password: resetPassword })
  const { accessToken } = await signIn('login', { email, password: resetPassword })

  // Cards and places.
  const shipTo = {
    name,
    street: own('street', `Street ${random()}`),
    city: 'York',
    postcode: 'YO1',
    country: 'UK',
  }
  const card = canary('card')
  for (let count = 0; count < 2; count++)
    expect((await order(card, 'first', accessToken, { shipTo })).status).toBe(201)
  await order(canary('card'), 'first', accessToken, { shipTo })
  await order([card], 'second', accessToken)
  await order(card.repeat(20), 'second', accessToken)
  await order(card, 'second', accessToken, { shipTo: { ...shipTo, city: '' } })
  await order(card, 'second', 'nobody')
  await post('orders', `{"payment":{"token":"${card}"`, { ...json, ...bearer(accessToken) })
  await hear(shop.address, {
    method: 'PATCH',
    path: '/api/v1/users/me',
    body: { address: shipTo },
    headers: bearer(accessToken),
  })

  // The operator's key, right and wrong, where it belongs and elsewhere.
  for (const path of ['orders', 'readers', 'parked', 'notifications', 'analytics'])
    await operate(path)
  await operate('orders', `${shop.operatorKey}x`)
  await operate('orders', 'wrong')
  await hear(shop.operator, {
    path: '/operator/v1/orders',
    headers: { 'x-serval-operator': shop.operatorKey, host: 'elsewhere.example' },
  })
  await hear(shop.address, {
    path: '/api/v1/products?limit=1',
    headers: { 'x-serval-operator': shop.operatorKey },
  })
  await hear(shop.address, { path: '/openapi.json' })

  // Killed in the middle of it.
  const busy = Array.from({ length: 12 }, (_, at) =>
    order(canary('card'), `busy ${at}`, accessToken, { shipTo }).catch(() => undefined),
  )
  await busy[0]
  shop.signal('SIGKILL')
  logs += (await shop.ended).stderr
  await Promise.all(busy)
  shop = await start(url)
  keep('operator key', shop.operatorKey)
  for (let at = 0; at < 12; at++) await order(canary('card'), `busy ${at}`, accessToken, { shipTo })
  const settled = async () => {
    const reply = await get('orders?limit=100', accessToken)
    return reply.json<{ items: { status: string }[] }>().items
  }
  const orders = await until(settled, (all) =>
    all.every(({ status }) => status === 'cancelled' || status === 'confirmed'),
  )
  expect(orders.length).toBeGreaterThan(12)
  await hear(shop.address, {
    method: 'POST',
    path: '/api/v1/auth/logout',
    headers: bearer(accessToken),
  })
  await until(
    async () =>
      (await operate('notifications')).json<{ mailbox: { mails: number } }>().mailbox.mails,
    (mails) => mails > orders.length,
  )
  logs += (await shop.stop()).stderr
  return { secrets, personal, heard, logs, rows: await storedRows(url, prefix) }
}

if (postgresUrl === undefined) skippedSuite('secrets', whyNoPostgres)
else {
  const { secrets, personal, heard, logs, rows } = await run(postgresUrl)
  const found = (values: ReadonlyMap<string, string>, text: string) =>
    [...values].flatMap(([what, value]) => (text.includes(value) ? [what] : []))

  test('what is looked for is found where it belongs', () => {
    expect(logs.split('\n').length).toBeGreaterThan(100)
    expect(rows.length).toBeGreaterThan(50)
    expect(heard.length).toBeGreaterThan(100)
    expect(secrets.size).toBeGreaterThan(30)
    expect(new Set(rows.flatMap(({ text }) => found(personal, text)))).toEqual(
      new Set(personal.keys()),
    )
    expect(rows.some(({ table }) => table === 'orders.serval_log')).toBe(true)
  })

  test('no secret, and nothing personal, is in the log', () => {
    const lines = logs.split('\n')
    expect(lines.filter((line) => found(secrets, line).length > 0)).toEqual([])
    expect(lines.filter((line) => found(personal, line).length > 0)).toEqual([])
  })

  test('no secret is in the databases, and nothing personal in events', () => {
    const told = rows.flatMap(({ table, text }) => found(secrets, text).map((one) => [table, one]))
    expect(told).toEqual([])
    const events = rows.filter(({ table }) => /serval_(log|held)$/.test(table))
    expect(
      events.flatMap(({ table, text }) => found(personal, text).map((one) => [table, one])),
    ).toEqual([])
  })

  test('no reply has a secret but the one that is there to carry it', () => {
    const told = heard.flatMap(({ what, text, carries }) =>
      [...secrets].flatMap(([name, value]) =>
        text.includes(value) && !carries.includes(value) ? [`${what}: ${name}`] : [],
      ),
    )
    expect(told).toEqual([])
  })
}

import { ServalError, systemEnv } from 'serval'
import { jwtAuthenticator } from 'serval/engines/jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { orders, startAccounts, type AccountsInTest } from '../accounts-in-test.suite.ts'
import { audience, issuer } from '../sessions/claims.ts'

let shift = 0
const env = { ...systemEnv(), now: () => Date.now() + shift }
const secondMs = 1_000

let shop: AccountsInTest
const anonymous = () => shop.anybody
const internal = () => shop.as(orders)
const register = (email?: string) => shop.register(email)
const authenticate = () =>
  jwtAuthenticator({ keys: () => anonymous().keys({}), issuer, audience, env })

beforeAll(async () => {
  shop = await startAccounts({ env })
})
afterAll(() => shop.system.end())

const thrown = async (work: Promise<unknown>): Promise<ServalError> => {
  try {
    await work
  } catch (error) {
    if (error instanceof ServalError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('an account', () => {
  test('is opened under a normalised address and signs in under any spelling of it', async () => {
    const opened = await register('  Ada.Lovelace@Example.ORG ')
    expect(opened.user).toMatchObject({
      email: 'ada.lovelace@example.org',
      name: 'Ada',
      roles: [],
    })
    expect(opened.expiresIn).toBe(600)
    const again = await anonymous().login({
      email: 'ADA.lovelace@example.org ',
      password: 'correct horse',
    })
    expect(again.user).toEqual(opened.user)
    expect(again.refreshToken).not.toBe(opened.refreshToken)
  })

  test('is one per address, also when many ask at once', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 6 }, (_, at) =>
        register(at % 2 ? 'One@example.org' : 'one@example.org'),
      ),
    )
    const failed = results.filter((result) => result.status === 'rejected')
    expect(failed).toHaveLength(5)
    for (const { reason } of failed)
      expect(reason).toMatchObject({ code: 'email-taken', kind: 'conflict' })
    await expect(register('one@example.org')).rejects.toMatchObject({ code: 'email-taken' })
  })

  test('asks for a likely address and eight characters', async () => {
    await expect(register('nobody')).rejects.toMatchObject({ code: 'invalid-input' })
    await expect(
      anonymous().register({ email: 'short@example.org', password: 'seven77', name: 'A' }),
    ).rejects.toMatchObject({ code: 'invalid-input' })
  })

  test.each([
    'Ada\r\nBcc: all@example.org',
    'Ada\u0007',
    'Ada\u2028P.S.',
    'claim at https://evil.example',
  ])('is not opened under the name %j', async (name) => {
    const given = { email: 'named@example.org', password: 'correct horse', name }
    await expect(anonymous().register(given)).rejects.toMatchObject({
      code: 'invalid-input',
      data: { errors: [{ pointer: '/name' }] },
    })
  })

  test('tells other services, and nobody else, where to write', async () => {
    const { user } = await register('contact@example.org')
    expect(await internal().contact({ userId: user.id })).toEqual({
      email: 'contact@example.org',
      name: 'Ada',
    })
    await expect(internal().contact({ userId: 'none' })).rejects.toMatchObject({
      code: 'no-such-user',
    })
    await expect(anonymous().contact({ userId: user.id })).rejects.toBeInstanceOf(ServalError)
    const self = { kind: 'user', id: user.id, roles: [], session: 's' } as const
    await expect(shop.as(self).contact({ userId: user.id })).rejects.toMatchObject({
      code: 'forbidden',
    })
  })

  test('is provided once, and hashes nothing when it is there', async () => {
    const demo = {
      email: 'Merchant@shop.test',
      password: 'serval-demo',
      name: 'Demo',
      roles: ['merchant', 'admin'] as ('merchant' | 'admin')[],
    }
    const first = await Promise.all([internal().provide(demo), internal().provide(demo)])
    expect(first.filter((one) => one.added)).toHaveLength(1)
    shop.hashed.length = 0
    expect(await internal().provide({ ...demo, password: 'another-one' })).toEqual({ added: false })
    expect(shop.hashed).toEqual([])
    const signedIn = await anonymous().login({ email: demo.email, password: demo.password })
    expect(await authenticate()(signedIn.accessToken)).toMatchObject({
      roles: ['merchant', 'admin'] as ('merchant' | 'admin')[],
    })
  })
})

describe('a sign-in that fails', () => {
  test('is the same for an unknown user and for a wrong password, and costs one hash', async () => {
    await register('known@example.org')
    const attempt = async (email: string) => {
      shop.hashed.length = 0
      const error = await thrown(anonymous().login({ email, password: 'wrong horse' }))
      return { error: error.toJSON(), kinds: [...shop.hashed] }
    }
    const wrong = await attempt('known@example.org')
    const unknown = await attempt('unknown@example.org')
    const nonsense = await attempt('not an address')
    expect(wrong.error).toMatchObject({ code: 'sign-in-failed', kind: 'unauthenticated' })
    expect(unknown.error).toEqual(wrong.error)
    expect(nonsense.error).toEqual(wrong.error)
    expect(wrong.kinds).toEqual(['verify'])
    expect(unknown.kinds).toEqual(['verify decoy'])
    expect(nonsense.kinds).toEqual(['verify decoy'])
  })

  test('costs the same hash as one that succeeds', async () => {
    await register('right@example.org')
    shop.hashed.length = 0
    await anonymous().login({ email: 'right@example.org', password: 'correct horse' })
    expect(shop.hashed).toEqual(['verify'])
  })
})

describe('an access token', () => {
  test('says who, in which session, with which roles, for ten minutes', async () => {
    const { user, accessToken } = await register()
    const [header, claims] = accessToken
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, never>)
    const { keys } = await anonymous().keys({})
    expect(header).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: keys[0]?.kid })
    expect(claims).toMatchObject({ iss: issuer, aud: audience, sub: user.id, roles: [] })
    expect(Object.keys(claims ?? {}).sort()).toEqual([
      'aud',
      'exp',
      'iat',
      'iss',
      'jti',
      'nbf',
      'roles',
      'sid',
      'sub',
    ])
    expect(Number(claims?.exp) - Number(claims?.iat)).toBe(600)
    expect(await authenticate()(accessToken)).toEqual({
      kind: 'user',
      id: user.id,
      roles: [],
      session: claims?.sid,
    })
  })

  test('is over after ten minutes', async () => {
    const { accessToken } = await register()
    const check = authenticate()
    expect(await check(accessToken)).toBeDefined()
    shift += 606 * secondMs
    expect(await check(accessToken)).toBeUndefined()
  })
})

test('neither logs nor problems hold an address, a password or a token', async () => {
  const refresh = (refreshToken: string) => anonymous().refresh({ refreshToken })
  const email = 'secretive@example.org'
  const opened = await register(email)
  const next = await refresh(opened.refreshToken)
  await refresh(next.refreshToken)
  const problems = await Promise.all([
    thrown(register(email)),
    thrown(anonymous().login({ email, password: 'wrong password' })),
    thrown(refresh(opened.refreshToken)),
    thrown(refresh('not a token of ours')),
    thrown(internal().contact({ userId: 'none' })),
  ])
  const told = [...shop.system.lines, ...problems.map((problem) => JSON.stringify(problem))].join(
    '\n',
  )
  expect(told).toContain('its session is ended')
  for (const secret of [
    ...[email, 'correct horse', 'wrong password', 'not a token', '$argon2id'],
    ...[opened, next].flatMap((one) => [one.accessToken, one.refreshToken]),
  ])
    expect(told).not.toContain(secret)
})

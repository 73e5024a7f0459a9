import { ServalError, systemEnv } from 'serval'
import { argon2Passwords } from 'serval/engines/argon2'
import { joseSigner, jwtAuthenticator } from 'serval/engines/jose'
import { startTestServices, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { audience, issuer } from './claims.ts'
import { accounts } from './contract.ts'
import { accountsService } from './service.ts'

/** Cheap, but real. */
const cheap = argon2Passwords({ memoryKib: 8, passes: 1 })
const hashed: string[] = []
const passwords = {
  decoy: cheap.decoy,
  hash: (password: string) => {
    hashed.push('hash')
    return cheap.hash(password)
  },
  verify: (password: string, hash: string) => {
    hashed.push(hash === cheap.decoy ? 'verify decoy' : 'verify')
    return cheap.verify(password, hash)
  },
}
let shift = 0
const env = { ...systemEnv(), now: () => Date.now() + shift }
const secondMs = 1_000
const dayMs = 86_400_000

let system: TestServices
const anonymous = () => system.client(accounts, { kind: 'anonymous' })
const internal = () => system.client(accounts, { kind: 'service', name: 'orders' })

beforeAll(async () => {
  system = await startTestServices({
    services: [accountsService],
    env,
    ports: { passwords, tokens: joseSigner() },
  })
})
afterAll(() => system.end())

let count = 0
const register = (email = `person-${++count}@example.org`) =>
  anonymous().register({ email, password: 'correct horse', name: 'Ada' })
const refresh = (refreshToken: string) => anonymous().refresh({ refreshToken })
const refused = { code: 'refresh-refused', kind: 'unauthenticated' }
const authenticate = () =>
  jwtAuthenticator({ keys: () => anonymous().keys({}), issuer, audience, env })

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
    await expect(system.client(accounts, self).contact({ userId: user.id })).rejects.toMatchObject({
      code: 'forbidden',
    })
  })

  test('is provided once, and hashes nothing when it is there', async () => {
    const demo = {
      email: 'Merchant@shop.test',
      password: 'serval-demo',
      name: 'Demo',
      roles: ['merchant', 'admin'],
    }
    const first = await Promise.all([internal().provide(demo), internal().provide(demo)])
    expect(first.filter((one) => one.added)).toHaveLength(1)
    hashed.length = 0
    expect(await internal().provide({ ...demo, password: 'another-one' })).toEqual({ added: false })
    expect(hashed).toEqual([])
    const signedIn = await anonymous().login({ email: demo.email, password: demo.password })
    expect(await authenticate()(signedIn.accessToken)).toMatchObject({
      roles: ['merchant', 'admin'],
    })
  })
})

describe('a sign-in that fails', () => {
  test('is the same for an unknown user and for a wrong password, and costs one hash', async () => {
    await register('known@example.org')
    const attempt = async (email: string) => {
      hashed.length = 0
      const error = await thrown(anonymous().login({ email, password: 'wrong horse' }))
      return { error: error.toJSON(), hashes: hashed.length, kinds: [...hashed] }
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
    hashed.length = 0
    await anonymous().login({ email: 'right@example.org', password: 'correct horse' })
    expect(hashed).toEqual(['verify'])
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

describe('the signing key', () => {
  test('is made once by hosts that start together, and is there after a restart', async () => {
    const { pglite } = await import('serval/engines/pglite')
    const server = pglite({})
    const start = () =>
      startTestServices({
        services: [accountsService],
        server,
        ports: { passwords, tokens: joseSigner() },
      })
    const host = await start()
    const client = host.client(accounts, { kind: 'anonymous' })
    const sets = await Promise.all(Array.from({ length: 5 }, () => client.keys({})))
    expect(new Set(sets.map((set) => JSON.stringify(set))).size).toBe(1)
    expect(sets[0]?.keys).toHaveLength(1)
    await host.end({ keepServer: true })

    const later = await start()
    expect(await later.client(accounts, { kind: 'anonymous' }).keys({})).toEqual(sets[0])
    await later.end()
  })
})

describe('a refresh token', () => {
  test('is traded for a new pair of the same session', async () => {
    const first = await register()
    const second = await refresh(first.refreshToken)
    expect(second.user).toEqual(first.user)
    expect(second.refreshToken).not.toBe(first.refreshToken)
    expect(second.accessToken).not.toBe(first.accessToken)
    const check = authenticate()
    const session = (await check(first.accessToken))?.session
    expect(session).toBeDefined()
    expect((await check(second.accessToken))?.session).toBe(session)
    expect((await refresh(second.refreshToken)).user).toEqual(first.user)
  })

  test('gives all who present it at once the same pair', async () => {
    const { refreshToken } = await register()
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(refreshToken)))
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect((await refresh(answers[0]?.refreshToken ?? '')).expiresIn).toBe(600)
  })

  test('repeats its answer for ten seconds', async () => {
    const { refreshToken } = await register()
    const answer = await refresh(refreshToken)
    shift += 9 * secondMs
    expect(await refresh(refreshToken)).toEqual(answer)
    const next = await refresh(answer.refreshToken)
    expect(next.refreshToken).not.toBe(answer.refreshToken)
  })

  test('ends its session when it comes again later', async () => {
    const { refreshToken } = await register()
    const answer = await refresh(refreshToken)
    shift += 10 * secondMs
    await expect(refresh(refreshToken)).rejects.toMatchObject(refused)
    await expect(refresh(answer.refreshToken)).rejects.toMatchObject(refused)
  })

  test('ends its session when it comes again after its successor was used', async () => {
    const { refreshToken } = await register()
    const second = await refresh(refreshToken)
    const third = await refresh(second.refreshToken)
    await expect(refresh(refreshToken)).rejects.toMatchObject(refused)
    await expect(refresh(second.refreshToken)).rejects.toMatchObject(refused)
    await expect(refresh(third.refreshToken)).rejects.toMatchObject(refused)
  })

  test('ends its session however old it is, and no other session', async () => {
    const { user, refreshToken } = await register()
    const other = await anonymous().login({ email: user.email, password: 'correct horse' })
    let last = refreshToken
    for (let at = 0; at < 5; at += 1) last = (await refresh(last)).refreshToken
    await expect(refresh(refreshToken)).rejects.toMatchObject(refused)
    await expect(refresh(last)).rejects.toMatchObject(refused)
    expect((await refresh(other.refreshToken)).user).toEqual(user)
  })

  test('that was never given out is refused and changes nothing', async () => {
    const { refreshToken } = await register()
    const unknown = Buffer.from(env.bytes(48)).toString('base64url')
    for (const text of [
      unknown,
      'x',
      `${refreshToken}=`,
      refreshToken.slice(0, -1),
      'é'.repeat(64),
    ])
      await expect(refresh(text)).rejects.toMatchObject(refused)
    expect((await refresh(refreshToken)).expiresIn).toBe(600)
  })

  test('lives thirty days from its making, its family ninety', async () => {
    const idle = await register()
    const { user } = idle
    shift += 30 * dayMs
    await expect(refresh(idle.refreshToken)).rejects.toMatchObject(refused)

    let active = await anonymous().login({ email: user.email, password: 'correct horse' })
    for (let month = 0; month < 3; month += 1) {
      shift += 29.9 * dayMs
      active = await refresh(active.refreshToken)
    }
    shift += 0.3 * dayMs
    await expect(refresh(active.refreshToken)).rejects.toMatchObject(refused)
  })
})

test('neither logs nor problems hold an address, a password or a token', async () => {
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
  const told = [...system.lines, ...problems.map((problem) => JSON.stringify(problem))].join('\n')
  expect(told).toContain('its session is revoked')
  for (const secret of [
    ...[email, 'correct horse', 'wrong password', 'not a token', '$argon2id'],
    ...[opened, next].flatMap((one) => [one.accessToken, one.refreshToken]),
  ])
    expect(told).not.toContain(secret)
})

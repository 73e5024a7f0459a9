import { base64url, exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { manualEnv } from '../../testing/index.ts'
import { joseSigner, jwtAuthenticator, type JwtAuthenticatorOptions } from './index.ts'

const signer = joseSigner()
const seed = new Uint8Array(32).fill(7)
const otherSeed = new Uint8Array(32).fill(8)
const jwk = async (kid: string, from = seed): Promise<JWK> => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x: await signer.publicKey(from),
  kid,
  use: 'sig',
  alg: 'EdDSA',
})

const env = manualEnv()
const seconds = () => Math.floor(env.now() / 1_000)
const claims = (changed: Record<string, unknown> = {}) => ({
  iss: 'shop',
  aud: 'shop',
  sub: 'user-1',
  sid: 'session-1',
  roles: ['merchant'],
  iat: seconds(),
  nbf: seconds(),
  exp: seconds() + 600,
  jti: 'token-1',
  ...changed,
})
const user = { kind: 'user', id: 'user-1', roles: ['merchant'], session: 'session-1' }
const encoded = (value: unknown) => base64url.encode(JSON.stringify(value))

const authenticator = async (options: Partial<JwtAuthenticatorOptions> = {}) => {
  const keys = [await jwk('k1')]
  return jwtAuthenticator({
    keys: () => Promise.resolve({ keys }),
    issuer: 'shop',
    audience: 'shop',
    env,
    ...options,
  })
}

/** Signed with the right key, whatever the header says. */
const signedAs = async (header: Record<string, unknown>, payload: unknown = claims()) => {
  const pkcs8 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20, ...seed]
  const key = await crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), 'Ed25519', false, [
    'sign',
  ])
  const text = `${encoded(header)}.${encoded(payload)}`
  const signature = await crypto.subtle.sign('Ed25519', key, new TextEncoder().encode(text))
  return `${text}.${base64url.encode(new Uint8Array(signature))}`
}
const header = { alg: 'EdDSA', typ: 'at+jwt', kid: 'k1' }

test('a token of the signer says who calls, also the second time', async () => {
  const check = await authenticator()
  const token = await signer.sign(claims(), { kid: 'k1', seed })
  expect(await check(token)).toEqual(user)
  expect(await check(token)).toEqual(user)
  expect(await signedAs(header)).toBe(token)
})

test('the same claims under the same key give the same token', async () => {
  const key = { kid: 'k1', seed }
  expect(await signer.sign(claims(), key)).toBe(await signer.sign(claims(), key))
})

describe('refused is', () => {
  let good: string
  const parts = () => good.split('.') as [string, string, string]
  beforeAll(async () => {
    good = await signer.sign(claims(), { kid: 'k1', seed })
  })

  const attacks: Record<string, () => Promise<string> | string> = {
    'alg none, without a signature': () =>
      `${encoded({ ...header, alg: 'none' })}.${encoded(claims())}.`,
    'alg none, with the old signature': () =>
      `${encoded({ ...header, alg: 'none' })}.${parts()[1]}.${parts()[2]}`,
    'alg None, signed': () => signedAs({ ...header, alg: 'None' }),
    'HS256 with the public key as its secret': async () =>
      new SignJWT(claims())
        .setProtectedHeader({ ...header, alg: 'HS256' })
        .sign(base64url.decode((await jwk('k1')).x ?? '')),
    'HS256 said of our signature': () => signedAs({ ...header, alg: 'HS256' }),
    'ES256 with a key of its own': async () =>
      new SignJWT(claims())
        .setProtectedHeader({ ...header, alg: 'ES256' })
        .sign((await generateKeyPair('ES256')).privateKey),
    'a signature of another key': () => signer.sign(claims(), { kid: 'k1', seed: otherSeed }),
    'a kid that is not known': () => signer.sign(claims(), { kid: 'k2', seed }),
    'no kid': () => signedAs({ alg: 'EdDSA', typ: 'at+jwt' }),
    'a kid that is no text': () => signedAs({ ...header, kid: ['k1'] }),
    'a kid that names a file': () => signedAs({ ...header, kid: '../../dev/null' }),
    'an embedded jwk': async () => {
      const pair = await generateKeyPair('EdDSA', { extractable: true })
      return new SignJWT(claims())
        .setProtectedHeader({ ...header, jwk: await exportJWK(pair.publicKey) })
        .sign(pair.privateKey)
    },
    'an embedded jwk, ours': async () => signedAs({ ...header, jwk: await jwk('k1') }),
    'a jku': () => signedAs({ ...header, jku: 'https://example.org/keys' }),
    'an x5u': () => signedAs({ ...header, x5u: 'https://example.org/certificate' }),
    'an x5c': () => signedAs({ ...header, x5c: ['AA'] }),
    'a crit extension': () => signedAs({ ...header, crit: ['b64'], b64: false }),
    'typ JWT': () => signedAs({ ...header, typ: 'JWT' }),
    'no typ': () => signedAs({ alg: 'EdDSA', kid: 'k1' }),
    'another issuer': () => signedAs(header, claims({ iss: 'other' })),
    'another audience': () => signedAs(header, claims({ aud: 'other' })),
    'no audience': () => signedAs(header, claims({ aud: undefined })),
    'no end': () => signedAs(header, claims({ exp: undefined })),
    'an end in words': () => signedAs(header, claims({ exp: '9999999999' })),
    'a past end': () => signedAs(header, claims({ exp: seconds() - 6 })),
    'a start in the future': () => signedAs(header, claims({ nbf: seconds() + 6 })),
    'no subject': () => signedAs(header, claims({ sub: undefined })),
    'an empty subject': () => signedAs(header, claims({ sub: '' })),
    'a subject that is no text': () => signedAs(header, claims({ sub: { id: 'user-1' } })),
    'no session': () => signedAs(header, claims({ sid: undefined })),
    'roles in one text': () => signedAs(header, claims({ roles: 'merchant' })),
    'roles that are no texts': () => signedAs(header, claims({ roles: [{ role: 'admin' }] })),
    'a payload that is no object': () => signedAs(header, ['user-1']),
    'other claims under a good signature': () =>
      `${parts()[0]}.${encoded(claims({ roles: ['admin'] }))}.${parts()[2]}`,
    'another header over a good signature': () =>
      `${encoded({ typ: 'at+jwt', alg: 'EdDSA', kid: 'k1' })}.${parts()[1]}.${parts()[2]}`,
    'a token cut by one letter': () => good.slice(0, -1),
    'a token without its signature': () => `${parts()[0]}.${parts()[1]}.`,
    'two parts': () => `${parts()[0]}.${parts()[1]}`,
    'four parts': () => `${good}.${parts()[2]}`,
    'five parts, as encrypted ones have': () => `${good}.AA.AA`,
    'a padded signature': () => `${good}==`,
    'a padded header': () => `${parts()[0]}=.${parts()[1]}.${parts()[2]}`,
    'a blank before it': () => ` ${good}`,
    'a line break after it': () => `${good}\n`,
    'the signature in another spelling': () => {
      const last = good.at(-1) ?? ''
      const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      return good.slice(0, -1) + letters[letters.indexOf(last) + 1]
    },
    'plain base64': () => good.replaceAll('-', '+').replaceAll('_', '/') + '+',
    'an empty text': () => '',
    dots: () => '..',
    'a header that is no JSON': () => `AAAA.${parts()[1]}.${parts()[2]}`,
    'a header that is null': () => `${encoded(null)}.${parts()[1]}.${parts()[2]}`,
    'a very long text': () => signedAs(header, claims({ more: 'x'.repeat(5_000) })),
  }
  for (const [name, make] of Object.entries(attacks))
    test(name, async () => {
      const check = await authenticator()
      expect(await check(good)).toEqual(user)
      expect(await check(await make())).toBeUndefined()
      expect(await check(good)).toEqual(user)
    })
})

test('a remembered token ends with its time, five seconds of clock difference allowed', async () => {
  const check = await authenticator({ maxAge: '1h' })
  const token = await signer.sign(claims(), { kid: 'k1', seed })
  expect(await check(token)).toEqual(user)
  await env.advance(604_000)
  expect(await check(token)).toEqual(user)
  await env.advance(1_000)
  expect(await check(token)).toBeUndefined()
  expect(await check(token)).toBeUndefined()
})

test('a token that is not valid yet becomes valid', async () => {
  const check = await authenticator()
  const token = await signer.sign(claims({ nbf: seconds() + 10 }), { kid: 'k1', seed })
  expect(await check(token)).toBeUndefined()
  await env.advance(5_000)
  expect(await check(token)).toEqual(user)
})

test('more tokens than are remembered are still valid, each for its own user', async () => {
  const check = await authenticator({ remembered: 2 })
  const ids = ['a', 'b', 'c', 'd']
  const tokens = await Promise.all(
    ids.map((sub) => signer.sign(claims({ sub }), { kid: 'k1', seed })),
  )
  for (let round = 0; round < 2; round += 1)
    expect(await Promise.all(tokens.map(async (token) => (await check(token))?.id))).toEqual(ids)
})

describe('the keys', () => {
  const fetching = async () => {
    const state = { keys: [await jwk('k1')], fetches: 0, fails: false }
    const check = await authenticator({
      keys: async () => {
        state.fetches += 1
        if (state.fails) throw new Error('nobody there')
        return { keys: [...state.keys] }
      },
    })
    return { state, check }
  }

  test('are fetched once for many calls at once', async () => {
    const { state, check } = await fetching()
    const token = await signer.sign(claims(), { kid: 'k1', seed })
    await Promise.all(Array.from({ length: 20 }, () => check(token)))
    expect(state.fetches).toBe(1)
  })

  test('are fetched again for an unknown kid, once in five seconds', async () => {
    const { state, check } = await fetching()
    const unknown = await signer.sign(claims(), { kid: 'k2', seed: otherSeed })
    for (let at = 0; at < 10; at += 1) expect(await check(unknown)).toBeUndefined()
    expect(state.fetches).toBe(1)
    state.keys.push(await jwk('k2', otherSeed))
    await env.advance(5_000)
    expect(await check(unknown)).toEqual(user)
    expect(state.fetches).toBe(2)
    expect(await check(await signer.sign(claims(), { kid: 'k1', seed }))).toEqual(user)
  })

  test('are fetched for a new one also after the clock was set back', async () => {
    const { state, check } = await fetching()
    expect(await check(await signer.sign(claims(), { kid: 'k1', seed }))).toEqual(user)
    await env.advance(-3_600_000)
    state.keys.push(await jwk('k2', otherSeed))
    expect(await check(await signer.sign(claims(), { kid: 'k2', seed: otherSeed }))).toEqual(user)
    await env.advance(3_600_000)
  })

  test('that are withdrawn are forgotten, and with them the tokens that were remembered', async () => {
    const { state, check } = await fetching()
    const token = await signer.sign(claims(), { kid: 'k1', seed })
    expect(await check(token)).toEqual(user)
    state.keys = [await jwk('k2', otherSeed)]
    await env.advance(300_000)
    // The old set answers while the new one is fetched.
    await check(token)
    await env.advance(0)
    expect(await check(token)).toBeUndefined()
  })

  test('serve on while they cannot be fetched; without any, the answer is not no', async () => {
    const { state, check } = await fetching()
    const token = await signer.sign(claims({ exp: seconds() + 3_600 }), { kid: 'k1', seed })
    state.fails = true
    await expect(check(token)).rejects.toMatchObject({ code: 'unavailable' })
    state.fails = false
    expect(await check(token)).toEqual(user)
    state.fails = true
    await env.advance(600_000)
    expect(await check(token)).toEqual(user)
    await env.advance(0)
    expect(await check(token)).toEqual(user)
  })

  test('of other kinds are passed over', async () => {
    const { state, check } = await fetching()
    const rsa = { kty: 'RSA', kid: 'k0', n: 'AA', e: 'AQAB' }
    const secret = { kty: 'oct', kid: 'k1', k: 'AA' }
    state.keys = [rsa, secret, { ...(await jwk('k3')), use: 'enc' }, await jwk('k1')]
    expect(await check(await signer.sign(claims(), { kid: 'k1', seed }))).toEqual(user)
    expect(await check(await signer.sign(claims(), { kid: 'k3', seed }))).toBeUndefined()
  })
})

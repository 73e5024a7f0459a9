import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { asFailure } from '../../base/failure.ts'
import { sha256 } from '../../base/hash.ts'
import type { Caller } from '../../link/call.ts'
import { manualEnv } from '../../testing/index.ts'
import { joseIdentities } from './identities.ts'
import { privateKey } from './signer.ts'

const seedOf = (issuer: string) =>
  Promise.resolve(new Uint8Array(Buffer.from(sha256(issuer, 'hex'), 'hex')))
const env = manualEnv()
const identities = joseIdentities({ env, seedOf })

const callers: readonly Caller[] = [
  { kind: 'anonymous' },
  { kind: 'operator' },
  { kind: 'service', name: 'orders' },
  { kind: 'user', id: 'u1', roles: ['merchant'], session: 's1' },
]
const refused = async (token: string, audience = 'orders', by = identities) => {
  try {
    await by.verify(token, audience)
    return 'accepted'
  } catch (error) {
    return asFailure(error).code
  }
}

test('each kind of caller arrives as who it is', async () => {
  for (const caller of callers)
    expect(await identities.verify(await identities.sign(caller, 'orders'), 'orders')).toEqual(
      caller,
    )
})

test('a token is made once per half-minute, is good for a minute, and for one audience', async () => {
  const token = await identities.sign(callers[3]!, 'orders')
  await env.advance(29_000)
  expect(await identities.sign(callers[3]!, 'orders')).toBe(token)
  await env.advance(2_000)
  expect(await identities.sign(callers[3]!, 'orders')).not.toBe(token)
  expect(await refused(token)).toBe('accepted')
  expect(await refused(token, 'payments')).toBe('unauthenticated')
  await env.advance(40_000)
  expect(await refused(token)).toBe('unauthenticated')
})

test('one caller after the other, and one as two objects, get each their own token', async () => {
  const [orders, payments] = ['orders', 'payments'] as const
  const tokens = []
  for (const audience of [orders, payments, orders])
    for (const caller of [...callers, ...callers.map((one) => ({ ...one }))])
      tokens.push({ caller, audience, token: await identities.sign(caller, audience) })
  expect(new Set(tokens.map(({ token }) => token)).size).toBe(2 * callers.length)
  for (const { caller, audience, token } of tokens)
    expect(await identities.verify(token, audience)).toEqual(caller)
})

test('what is remembered is answered at once, as long as it is good', async () => {
  const caller = callers[2]!
  const token = await identities.sign(caller, 'orders')
  await identities.verify(token, 'orders')
  expect(identities.sign(caller, 'orders')).toBe(token)
  expect(identities.verify(token, 'orders')).toEqual(caller)
  await env.advance(31_000)
  expect(await identities.sign(caller, 'orders')).not.toBe(token)
  await env.advance(40_000)
  expect(await refused(token)).toBe('unauthenticated')
})

const forged = async (
  claims: { caller: Caller; iss: string },
  kid: string,
  signer: string,
  life = 60_000,
) =>
  new SignJWT({ caller: claims.caller })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'serval-id+jwt', kid })
    .setIssuer(claims.iss)
    .setAudience('orders')
    .setExpirationTime(new Date(env.now() + life))
    .sign(await privateKey(await seedOf(signer), false))

test('a token that could not be made is not remembered', async () => {
  const seeds = [Promise.reject(new Error('no seed')), seedOf('edge')]
  const signing = joseIdentities({ env, seedOf: async () => seeds.shift()! })
  const sign = async () => signing.sign(callers[0]!, 'orders')
  await expect(sign()).rejects.toThrow('no seed')
  expect(await refused(await sign())).toBe('accepted')
})

test('a service cannot say that it is a user, the operator or another service; nobody signs for a day', async () => {
  const [, operator, , user] = callers
  const mine = 'service:payments'
  expect(await refused(await forged({ caller: user!, iss: mine }, mine, mine))).toBe(
    'unauthenticated',
  )
  expect(await refused(await forged({ caller: operator!, iss: 'edge' }, mine, mine))).toBe(
    'unauthenticated',
  )
  expect(await refused(await forged({ caller: user!, iss: 'edge' }, 'edge', mine))).toBe(
    'unauthenticated',
  )
  const other: Caller = { kind: 'service', name: 'orders' }
  expect(await refused(await forged({ caller: other, iss: mine }, mine, mine))).toBe(
    'unauthenticated',
  )
  const self: Caller = { kind: 'service', name: 'payments' }
  expect(await refused(await forged({ caller: self, iss: mine }, mine, mine))).toBe('accepted')
  expect(await refused(await forged({ caller: self, iss: mine }, mine, mine, 86_400_000))).toBe(
    'unauthenticated',
  )
})

test('what is not a token of ours is refused', async () => {
  const token = await identities.sign(callers[0]!, 'orders')
  const [head, body, signature] = token.split('.')
  const none = Buffer.from('{"alg":"none","typ":"serval-id+jwt","kid":"edge"}').toString(
    'base64url',
  )
  for (const bad of [
    '',
    'x',
    'a.b.c',
    `${head}.${body}.`,
    `${none}.${body}.`,
    `${head}.${body}.${'A'.repeat(86)}`,
    `${head}.${signature}.${body}`,
    `${token}x`,
  ])
    expect(await refused(bad)).toBe('unauthenticated')
})

test('issuers that strangers make up are not all remembered', async () => {
  const asked: string[] = []
  const counting = joseIdentities({
    env,
    seedOf: (issuer) => {
      asked.push(issuer)
      return seedOf(issuer)
    },
  })
  const token = await counting.sign({ kind: 'operator' }, 'orders')
  const naming = (kid: string) => {
    const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', typ: 'serval-id+jwt', kid }))
    return `${header.toString('base64url')}.${token.split('.').slice(1).join('.')}`
  }
  for (let nth = 0; nth < 1_001; nth++)
    expect(await refused(naming(`service:made-up-${nth}`), 'orders', counting)).toBe(
      'unauthenticated',
    )
  expect(asked.filter((issuer) => issuer === 'edge')).toHaveLength(1)
  await counting.verify(token, 'orders')
  expect(asked.filter((issuer) => issuer === 'edge')).toHaveLength(2)
})

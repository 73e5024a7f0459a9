import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
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
const refused = (token: string, audience = 'orders') =>
  identities.verify(token, audience).then(
    () => 'accepted',
    (error: { code: string }) => error.code,
  )

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
    await counting.verify(naming(`service:made-up-${nth}`), 'orders').catch(() => undefined)
  expect(asked.filter((issuer) => issuer === 'edge')).toHaveLength(1)
  await counting.verify(token, 'orders')
  expect(asked.filter((issuer) => issuer === 'edge')).toHaveLength(2)
})

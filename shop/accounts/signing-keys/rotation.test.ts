import { systemEnv } from 'serval'
import { jwtAuthenticator } from 'serval/engines/jose'
import { pglite } from 'serval/engines/pglite'
import { eventually } from 'serval/testing'
import { expect, test } from 'vitest'
import { operator, outcome, startAccounts } from '../accounts-in-test.suite.ts'
import { audience, issuer } from '../sessions/claims.ts'

const secondMs = 1_000
const kidOf = (token: string) =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string })
    .kid

test('no valid token is refused during a rotation, whenever a verifier fetched the keys', async () => {
  let shift = 0
  const began = Date.now()
  const env = { ...systemEnv(), now: () => began + shift }
  const pass = (ms: number) => (shift += ms)
  const shop = await startAccounts({ env })
  const first = await shop.register()
  // As an edge does it, each begun at another moment: one fetches at most every five seconds.
  const verifier = () =>
    jwtAuthenticator({ keys: () => shop.anybody.keys({}), issuer, audience, env })
  const verifiers: ReturnType<typeof verifier>[] = []
  const tokens: { readonly token: string; readonly until: number }[] = []
  let { refreshToken } = first
  const turn = async () => {
    const next = await shop.anybody.refresh({ refreshToken })
    refreshToken = next.refreshToken
    tokens.push({ token: next.accessToken, until: env.now() + 600 * secondMs })
    if (verifiers.length < 8) verifiers.push(verifier())
    for (const check of verifiers)
      for (const { token } of tokens.filter(({ until }) => env.now() < until))
        expect(await check(token)).toBeDefined()
  }
  for (let at = 0; at < 8; at += 1) {
    await turn()
    pass(secondMs)
  }
  const made = await shop.as(operator).rotateSigningKey({})
  expect(Date.parse(made.signsFrom) - env.now()).toBe(30 * secondMs)
  for (let at = 0; at < 40; at += 1) {
    await turn()
    pass(secondMs)
  }
  for (let at = 0; at < 12; at += 1) {
    await turn()
    pass(60 * secondMs)
  }
  const kids = new Set(tokens.map(({ token }) => kidOf(token)))
  expect([...kids].at(-1)).toBe(made.kid)
  expect(kids.size).toBe(2)
  const { keys } = await shop.anybody.keys({})
  expect(keys.map(({ kid }) => kid)).toEqual([made.kid])
  await shop.system.end()
}, 60_000)

test('rotations at once make one key, and are for the operator', async () => {
  const shop = await startAccounts()
  await shop.register()
  const made = await Promise.all(
    Array.from({ length: 5 }, () => shop.as(operator).rotateSigningKey({})),
  )
  expect(new Set(made.map(({ kid }) => kid)).size).toBe(1)
  expect((await shop.anybody.keys({})).keys).toHaveLength(2)
  expect(await outcome(shop.anybody.rotateSigningKey({}))).toBe('forbidden')
  await shop.system.end()
})

test('a key is rotated by itself after a day, and what is over is deleted', async () => {
  let shift = 0
  const env = { ...systemEnv(), now: () => Date.now() + shift }
  const server = pglite({})
  const kids = async (hours: number) => {
    shift += hours * 3_600 * secondMs
    // A start looks for jobs that are due.
    const shop = await startAccounts({ env, server })
    const find = async () => (await shop.anybody.keys({})).keys.map(({ kid }) => kid)
    return { shop, find }
  }
  const begun = await kids(0)
  const [first] = await begun.find()
  await begun.shop.system.end({ keepServer: true })

  const later = await kids(25)
  const [, second] = await eventually(async () => {
    const found = await later.find()
    return found.length === 2 && found
  }, 'the rotation')
  expect(second).not.toBe(first)
  await later.shop.system.end({ keepServer: true })

  const last = await kids(26)
  await eventually(async () => {
    const found = await last.find()
    return found.length === 2 && found[0] === second
  }, 'the second rotation')
  const store = last.shop.system.stores.get('accounts')
  const kept = await store?.read((repositories) =>
    (repositories as { signingKeys: { all(): Promise<readonly unknown[]> } }).signingKeys.all(),
  )
  expect(kept).toHaveLength(2)
  await last.shop.system.end()
}, 60_000)

test('the first key is made once by hosts that start together, and is there after a restart', async () => {
  const server = pglite({})
  const host = await startAccounts({ server })
  const sets = await Promise.all(Array.from({ length: 5 }, () => host.anybody.keys({})))
  expect(new Set(sets.map((set) => JSON.stringify(set))).size).toBe(1)
  expect(sets[0]?.keys).toHaveLength(1)
  await host.system.end({ keepServer: true })
  const later = await startAccounts({ server })
  expect(await later.anybody.keys({})).toEqual(sets[0])
  await later.system.end()
})

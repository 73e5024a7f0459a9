import { systemEnv } from 'serval'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAccounts, type AccountsInTest } from '../accounts-in-test.suite.ts'

let shift = 0
const env = { ...systemEnv(), now: () => Date.now() + shift }
const secondMs = 1_000
const dayMs = 86_400_000

let shop: AccountsInTest
const register = () => shop.register()
const refresh = (refreshToken: string) => shop.anybody.refresh({ refreshToken })
const refused = { code: 'refresh-refused', kind: 'unauthenticated' }

beforeAll(async () => {
  shop = await startAccounts({ env })
})
afterAll(() => shop.system.end())

describe('a refresh token', () => {
  test('is traded for a new pair of the same session', async () => {
    const first = await register()
    const second = await refresh(first.refreshToken)
    expect(second.user).toEqual(first.user)
    expect(second.refreshToken).not.toBe(first.refreshToken)
    expect(second.accessToken).not.toBe(first.accessToken)
    const { session } = await shop.callerOf(first)
    expect((await shop.callerOf(second)).session).toBe(session)
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
    const other = await shop.login(user.email)
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

    let active = await shop.login(user.email)
    for (let month = 0; month < 3; month += 1) {
      shift += 29.9 * dayMs
      active = await refresh(active.refreshToken)
    }
    shift += 0.3 * dayMs
    await expect(refresh(active.refreshToken)).rejects.toMatchObject(refused)
  })
})

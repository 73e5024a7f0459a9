import { systemEnv } from 'serval'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { orders, outcome, startAccounts, type AccountsInTest } from '../accounts-in-test.suite.ts'

let shift = 0
const env = { ...systemEnv(), now: () => Date.now() + shift }
const secondMs = 1_000

let shop: AccountsInTest
beforeAll(async () => {
  shop = await startAccounts({ env })
})
afterAll(() => shop.system.end())

const ended = async () => (await shop.as(orders).endedSessions({})).sessionIds
/** Somebody with so many sessions, the first of them that of the registration. */
const somebody = async (count = 1) => {
  const first = await shop.register()
  const signedIn = [first]
  for (let at = 1; at < count; at += 1) signedIn.push(await shop.login(first.user.email))
  const callers = await Promise.all(signedIn.map((one) => shop.callerOf(one)))
  const sessions = signedIn.map((one, at) => ({
    refreshToken: one.refreshToken,
    caller: callers[at] ?? { kind: 'user' as const, id: '', roles: [], session: '' },
  }))
  const [own] = sessions
  if (own === undefined) throw new Error('nobody signed in')
  return { id: first.user.id, email: first.user.email, own, sessions }
}
const refreshed = (refreshToken: string) => outcome(shop.anybody.refresh({ refreshToken }))

describe('a logout', () => {
  test('ends the session that asks, tells the edges, and leaves the others', async () => {
    const { id, own, sessions } = await somebody(2)
    await shop.as(own.caller).logout({})
    const [event] = await shop.published('session.ended', id, 1)
    expect(event?.data).toEqual({ sessionId: own.caller.session, userId: id })
    expect(await ended()).toContain(own.caller.session)
    expect(await refreshed(own.refreshToken)).toBe('refresh-refused')
    expect(await refreshed(sessions[1]?.refreshToken ?? '')).toBe('ok')
  })

  test('may come twice', async () => {
    const { id, own } = await somebody()
    await shop.as(own.caller).logout({})
    await shop.as(own.caller).logout({})
    await shop.register()
    expect(await shop.published('session.ended', id, 1)).toHaveLength(1)
  })

  test('of a session that no service has is refused', async () => {
    expect(await outcome(shop.as(orders).logout({}))).toBe('forbidden')
    expect(await outcome(shop.anybody.logout({}))).toBe('unauthenticated')
  })
})

describe('my sessions', () => {
  test('are listed, the latest first, page by page, and say which one asks', async () => {
    const { own, sessions } = await somebody(5)
    const asking = shop.as(own.caller)
    const all = await asking.sessions({})
    expect(all.next).toBeUndefined()
    expect(all.items.map((one) => one.current)).toEqual([false, false, false, false, true])
    expect(all.items.map((one) => one.id)).toEqual(
      sessions.map(({ caller }) => caller.session).toReversed(),
    )
    const pages = [await asking.sessions({ limit: 2 })]
    for (let next = pages[0]?.next; next !== undefined; next = pages.at(-1)?.next)
      pages.push(await asking.sessions({ limit: 2, cursor: next }))
    expect(pages.map((page) => page.items.length)).toEqual([2, 2, 1])
    expect(pages.flatMap((page) => page.items)).toEqual(all.items)
    expect(await outcome(asking.sessions({ cursor: 'eyJhdCI6MX0' }))).toBe('invalid-input')
  })

  test('say when they were used last, and are gone when they are over', async () => {
    const { own } = await somebody()
    shift += 60 * secondMs
    const later = await shop.anybody.refresh({ refreshToken: own.refreshToken })
    const asking = shop.as(await shop.callerOf(later))
    const [one] = (await asking.sessions({})).items
    const used = Date.parse(one?.lastUsedAt ?? '') - Date.parse(one?.startedAt ?? '')
    expect(used).toBeGreaterThanOrEqual(60 * secondMs)
    shift += 31 * 86_400 * secondMs
    expect(await asking.sessions({})).toEqual({ items: [] })
  })

  test('can be ended one by one, by nobody else', async () => {
    const [ada, bob] = [await somebody(2), await somebody()]
    const other = ada.sessions[1]
    const id = other?.caller.session ?? ''
    expect(await outcome(shop.as(bob.own.caller).endSession({ id }))).toBe('no-such-session')
    expect(await outcome(shop.as(ada.own.caller).endSession({ id: 'none' }))).toBe(
      'no-such-session',
    )
    await shop.as(ada.own.caller).endSession({ id })
    expect(await outcome(shop.as(ada.own.caller).endSession({ id }))).toBe('no-such-session')
    expect(await refreshed(other?.refreshToken ?? '')).toBe('refresh-refused')
    expect(await refreshed(ada.own.refreshToken)).toBe('ok')
    expect(await ended()).toContain(id)
    const mine = await shop.as(ada.own.caller).sessions({})
    expect(mine.items.map((one) => one.id)).toEqual([ada.own.caller.session])
  })

  test('are a thousand at most: one more ends the oldest', async () => {
    const { id, email, own } = await somebody()
    const store = shop.system.stores.get('accounts')
    await store?.commit(async ({ repositories }) => {
      const { sessions } = repositories as { sessions: { add(family: object): void } }
      for (let at = 1; at < 1_000; at += 1)
        sessions.add({
          id: env.id(),
          userId: id,
          locator: env.id(),
          current: 'x',
          startedAt: env.now(),
          rotatedAt: env.now(),
          expiresAt: env.now() + secondMs * 1_000,
        })
    }, false)
    expect(await refreshed(own.refreshToken)).toBe('ok')
    await shop.login(email)
    expect(await ended()).toContain(own.caller.session)
  })
})

describe('sessions that ended', () => {
  test('are told to edges for as long as an access token of theirs could live', async () => {
    const { own } = await somebody()
    await shop.as(own.caller).logout({})
    shift += 604 * secondMs
    expect(await ended()).toContain(own.caller.session)
    shift += 7 * secondMs
    expect(await ended()).not.toContain(own.caller.session)
  })

  test('are published also when a refresh token that comes again ends them', async () => {
    const { id, own } = await somebody()
    const next = await shop.anybody.refresh({ refreshToken: own.refreshToken })
    await shop.anybody.refresh({ refreshToken: next.refreshToken })
    expect(await refreshed(own.refreshToken)).toBe('refresh-refused')
    const [event] = await shop.published('session.ended', id, 1)
    expect(event?.data['sessionId']).toBe(own.caller.session)
    expect(await ended()).toContain(own.caller.session)
  })

  test('are not published when all their access tokens are over', async () => {
    const { id, own, sessions } = await somebody(2)
    shift += 611 * secondMs
    const now = await shop.anybody.refresh({ refreshToken: own.refreshToken })
    const asking = shop.as(await shop.callerOf(now))
    await asking.endSession({ id: sessions[1]?.caller.session ?? '' })
    await asking.logout({})
    const events = await shop.published('session.ended', id, 1)
    expect(events.map(({ data }) => data['sessionId'])).toEqual([own.caller.session])
    expect(await refreshed(sessions[1]?.refreshToken ?? '')).toBe('refresh-refused')
  })

  test('are the business of services only', async () => {
    expect(await outcome(shop.anybody.endedSessions({}))).not.toBe('ok')
  })
})

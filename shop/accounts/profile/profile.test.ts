import { systemEnv } from 'serval'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  httpTo,
  orders,
  outcome,
  startAccounts,
  type AccountsInTest,
  type Asked,
} from '../accounts-in-test.suite.ts'

const env = systemEnv()
const address = {
  name: 'Ada Lovelace',
  street: '12 St James’s Square',
  city: 'London',
  postcode: 'SW1Y 4JH',
  country: 'United Kingdom',
}
const path = '/api/v1/users/me'

let shop: AccountsInTest
let http: ReturnType<typeof httpTo>
beforeAll(async () => {
  shop = await startAccounts({ env })
  http = httpTo(shop)
})
afterAll(() => shop.system.end())

const somebody = async () => {
  const signedIn = await shop.register()
  const ask = (method: string, asked: Asked = {}) =>
    http(method, path, { token: signedIn.accessToken, ...asked })
  const etag = async () => String((await ask('GET')).headers['etag'])
  return { signedIn, ask, etag, me: shop.as(await shop.callerOf(signedIn)) }
}

describe('a profile', () => {
  test('is what the user said when the account was opened', async () => {
    const { signedIn, ask } = await somebody()
    const reply = await ask('GET')
    expect(reply).toMatchObject({
      status: 200,
      json: { ...signedIn.user, emailVerified: false },
      headers: { 'cache-control': 'no-store' },
    })
    expect(Object.keys(reply.json)).not.toContain('address')
    const same = await ask('GET', { headers: { 'if-none-match': String(reply.headers['etag']) } })
    expect(same.status).toBe(304)
  })

  test('is read from memory until it changes, and a change shows in the next read', async () => {
    const { signedIn, me } = await somebody()
    await me.profile({})
    const store = shop.system.stores.get('accounts')
    const rename = store?.commit(async ({ repositories }) => {
      const { users } = repositories as {
        users: { byId(id: string): Promise<object>; save(user: object): void }
      }
      users.save({ ...(await users.byId(signedIn.user.id)), name: 'Behind our back' })
    }, false)
    await rename
    expect(await me.profile({})).toMatchObject({ name: 'Ada' })
    await me.changeProfile({ address })
    expect(await me.profile({})).toMatchObject({ name: 'Behind our back', address })
    for (let at = 0; at < 20; at += 1) {
      await me.changeProfile({ name: `Ada ${at}` })
      expect(await me.profile({})).toMatchObject({ name: `Ada ${at}` })
    }
  })

  test('is changed by a merge patch', async () => {
    const { ask } = await somebody()
    const patch = (body: unknown) =>
      ask('PATCH', { body, headers: { 'content-type': 'application/merge-patch+json' } })
    expect((await patch({ address })).json).toMatchObject({ name: 'Ada', address })
    expect((await patch({ name: '  Augusta ' })).json).toMatchObject({ name: 'Augusta', address })
    expect((await patch({ address: { city: 'Ockham' } })).json).toMatchObject({
      address: { ...address, city: 'Ockham' },
    })
    const bare = await patch({ address: null })
    expect(bare.status).toBe(200)
    expect(Object.keys(bare.json)).not.toContain('address')
    expect((await ask('GET')).json).toEqual(bare.json)
  })

  test('stays whole: what would not be one names its fields', async () => {
    const { ask } = await somebody()
    const errors = async (body: unknown) => {
      const { status, json } = await ask('PATCH', { body })
      const found = json['errors'] as readonly { readonly pointer: string }[] | undefined
      return { status, pointers: found?.map(({ pointer }) => pointer) }
    }
    expect(await errors({ address: { city: 'London' } })).toEqual({
      status: 400,
      pointers: ['/address/name', '/address/street', '/address/postcode', '/address/country'],
    })
    await ask('PATCH', { body: { address } })
    expect(await errors({ address: { postcode: null } })).toEqual({
      status: 400,
      pointers: ['/address/postcode'],
    })
    expect(await errors({ name: null })).toEqual({ status: 400, pointers: ['/name'] })
    expect(await errors({ email: 'other@example.org' })).toMatchObject({ pointers: ['/email'] })
    expect(await errors({ roles: ['admin'] })).toMatchObject({ pointers: ['/roles'] })
    expect(await errors({ address: { planet: 'Mars' } })).toMatchObject({ status: 400 })
  })

  test('that somebody else changed meanwhile is not overwritten', async () => {
    const { ask, etag } = await somebody()
    const first = await etag()
    const patch = (name: string, match?: string) =>
      ask('PATCH', { body: { name }, headers: match === undefined ? {} : { 'if-match': match } })
    const changed = await patch('One', first)
    expect(changed.status).toBe(200)
    expect(changed.headers['etag']).toBe(await etag())
    expect(await patch('Two', first)).toMatchObject({
      status: 412,
      json: { code: 'precondition-failed' },
    })
    expect((await ask('GET')).json).toMatchObject({ name: 'One' })
    expect((await patch('Three', '*')).status).toBe(200)
    expect((await patch('Four')).status).toBe(200)
  })

  test('that was changed as somebody asks once more, having lost the answer, is as it was answered', async () => {
    const { ask, etag } = await somebody()
    const change = { body: { name: 'One' }, headers: { 'if-match': await etag() } }
    const first = await ask('PATCH', change)
    const again = await ask('PATCH', change)
    expect([again.status, again.headers['etag']]).toEqual([200, first.headers['etag']])
    expect(again.json).toEqual(first.json)
  })

  test('is changed by one of many who saw the same', async () => {
    const { ask, etag } = await somebody()
    const match = { 'if-match': await etag() }
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        ask('PATCH', { body: { name: `Name ${at}` }, headers: match }),
      ),
    )
    const statuses = replies.map(({ status }) => status)
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, ...Array(7).fill(412)])
  })

  test('that is patched with what it is already changes nothing', async () => {
    const { signedIn, me } = await somebody()
    await me.changeProfile({ address })
    await me.changeProfile({ name: 'Ada', address: { city: 'London' } })
    await me.changeProfile({})
    await me.changeProfile({ name: 'Last' })
    await shop.published('profile.changed', signedIn.user.id, 2)
    expect(await shop.published('profile.changed', signedIn.user.id, 2)).toHaveLength(2)
  })

  test('belongs to users', async () => {
    expect(await outcome(shop.as(orders).profile({}))).toBe('forbidden')
    expect((await http('GET', path)).status).toBe(401)
  })
})

describe('an erasure', () => {
  const rowOf = async (id: string) => {
    const server = shop.system.stores.get('accounts')
    return server?.read(async (repositories) => {
      const { users } = repositories as unknown as {
        users: { byId(id: string): Promise<unknown> }
      }
      return users.byId(id)
    })
  }

  test('leaves nothing, ends all sessions, tells the others, and frees the address', async () => {
    const { signedIn, ask, me } = await somebody()
    const { id, email } = signedIn.user
    const other = await shop.login(email)
    await me.changeProfile({ address })
    expect((await ask('DELETE')).status).toBe(204)

    expect(await rowOf(id)).toBeUndefined()
    expect((await ask('GET')).status).toBe(401)
    expect(await outcome(me.changeProfile({ name: 'Back' }))).toBe('unauthenticated')
    expect(await outcome(shop.as(orders).contact({ userId: id }))).toBe('no-such-user')
    expect(await outcome(shop.login(email))).toBe('sign-in-failed')
    for (const { refreshToken } of [signedIn, other])
      expect(await outcome(shop.anybody.refresh({ refreshToken }))).toBe('refresh-refused')
    expect(await shop.published('session.ended', id, 2)).toHaveLength(2)
    const [erased] = await shop.published('user.erased', id, 1)
    expect(erased?.data).toEqual({ userId: id })

    const again = await shop.register(email)
    expect(again.user.id).not.toBe(id)
    expect(await rowOf(id)).toBeUndefined()
  })

  test('ends links that were sent, and mails that were not', async () => {
    const { signedIn, me } = await somebody()
    const { id, email } = signedIn.user
    const verification = await shop.tokenOf('email-verification', id)
    await shop.anybody.forgotPassword({ email })
    const reset = await shop.tokenOf('password-reset', id)
    const [asked] = await shop.published('mail.requested', id, 1)
    await me.erase({})
    expect(await outcome(shop.anybody.verifyEmail({ token: verification }))).toBe('link-refused')
    const given = { token: reset, password: 'another horse' }
    expect(await outcome(shop.anybody.resetPassword(given))).toBe('link-refused')
    const requestId = asked?.data['requestId'] ?? ''
    expect(await outcome(shop.as(orders).mail({ requestId }))).toBe('nothing-to-send')
  })

  test('may come twice, and honours If-Match', async () => {
    const { ask, etag, me } = await somebody()
    const match = await etag()
    await me.changeProfile({ name: 'Other' })
    expect((await ask('DELETE', { headers: { 'if-match': match } })).status).toBe(412)
    expect((await ask('DELETE', { headers: { 'if-match': await etag() } })).status).toBe(204)
    expect((await ask('DELETE')).status).toBe(204)
    expect((await ask('DELETE', { body: { sure: true } })).status).toBe(204)
  })

  test('lifts what was counted against the address', async () => {
    const { signedIn, me } = await somebody()
    const { email } = signedIn.user
    for (let at = 0; at < 5; at += 1) await outcome(shop.login(email, 'wrong horse'))
    await me.erase({})
    await shop.register(email)
    expect(await outcome(shop.login(email))).toBe('ok')
  })
})

import { systemEnv } from 'serval'
import { pglite } from 'serval/engines/pglite'
import type { SqlServer } from 'serval/engines/sql'
import { eventually } from 'serval/testing'
import { expect, test } from 'vitest'
import { orders, outcome, startAccounts } from './accounts-in-test.suite.ts'

/* What lies in the database, read past the service. */

const dayMs = 86_400_000

/** Every row of every table, as text. */
const dump = async (server: SqlServer): Promise<ReadonlyMap<string, readonly string[]>> => {
  const database = await server.open('accounts')
  return database.read(async (session) => {
    const tables = await session.query<{ name: string }>(
      'select table_name as name from information_schema.tables where table_schema = current_schema()',
    )
    const rows = new Map<string, readonly string[]>()
    for (const { name } of tables) {
      const found = await session.query<{ row: string }>(`select t::text as row from "${name}" t`)
      rows.set(
        name,
        found.map(({ row }) => row),
      )
    }
    return rows
  })
}
const textOf = (rows: ReadonlyMap<string, readonly string[]>) =>
  [...rows.values()].flat().join('\n')

test('of somebody who was erased nothing is left but an id', async () => {
  const server = pglite({})
  const shop = await startAccounts({ server })
  const email = 'ada.lovelace@example.org'
  const signedIn = await shop.register(email, 'Augusta Ada')
  const me = shop.as(await shop.callerOf(signedIn))
  const address = { street: '12 St James’s Square', city: 'Ockham', postcode: 'SW1Y 4JH' }
  await me.changeProfile({ address: { ...address, name: 'Countess', country: 'England' } })
  await outcome(shop.login(email, 'wrong horse'))
  await shop.anybody.forgotPassword({ email })
  await shop.tokenOf('password-reset', signedIn.user.id)
  const personal = ['lovelace', 'Augusta', 'James', 'Ockham', '4JH', 'Countess', '$argon2id']
  const before = textOf(await dump(server))
  for (const word of personal) expect(before).toContain(word)

  await me.erase({})
  const after = await dump(server)
  for (const word of personal) expect(textOf(after)).not.toContain(word)
  expect(after.get('account')).toHaveLength(1)
  expect(after.get('account')?.[0]).toContain(signedIn.user.id)
  for (const table of ['session', 'mail_request', 'sign_in_tries'])
    expect(after.get(table)).toEqual([])
  await shop.system.end()
})

test('no token lies there as it is used', async () => {
  const server = pglite({})
  const shop = await startAccounts({ server })
  const first = await shop.register()
  const second = await shop.anybody.refresh({ refreshToken: first.refreshToken })
  await shop.anybody.forgotPassword({ email: first.user.email })
  const reset = await shop.tokenOf('password-reset', first.user.id)
  const verification = await shop.tokenOf('email-verification', first.user.id)
  const stored = textOf(await dump(server))
  for (const { accessToken, refreshToken } of [first, second])
    for (const token of [accessToken, refreshToken, refreshToken.slice(22)])
      expect(stored).not.toContain(token)
  for (const token of [reset, verification]) expect(stored).not.toContain(token.split('.')[1])
  await shop.system.end()
})

test('what is over is deleted', async () => {
  let shift = 0
  const env = { ...systemEnv(), now: () => Date.now() + shift }
  const server = pglite({})
  const tables = ['session', 'ended_session', 'mail_request', 'sign_in_tries', 'mail_count']
  const sizes = async () => {
    const rows = await dump(server)
    return tables.map((table) => rows.get(table)?.length)
  }
  const shop = await startAccounts({ env, server })
  const { user } = await shop.register()
  await shop.as(await shop.callerOf(await shop.login(user.email))).logout({})
  await outcome(shop.login(user.email, 'wrong horse'))
  expect(await sizes()).toEqual([1, 1, 1, 1, 1])
  await shop.system.end({ keepServer: true })

  shift += dayMs + 1_000
  const next = await startAccounts({ env, server })
  await eventually(async () => String(await sizes()) === '1,0,1,0,0', 'a day’s pruning')
  await next.system.end({ keepServer: true })

  shift += 31 * dayMs
  const last = await startAccounts({ env, server })
  await eventually(async () => String(await sizes()) === '0,0,0,0,0', 'a month’s pruning')
  expect(await last.as(orders).contact({ userId: user.id })).toMatchObject({ email: user.email })
  await last.system.end()
}, 30_000)

import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiSuite, skippedSuite } from './api.suite.ts'
import { givenPlace } from './given-place.ts'
import { dropDatabases, postgresUrl, uniquePrefix, whyNoPostgres } from './postgres-databases.ts'
import { killAll, startShop, unexpectedLines, type ShopProcess } from './shop-process.ts'
import { until } from './until.ts'
import { openWorld, type SignedIn, type World } from './world.ts'

/*
 * The public API on a PostgreSQL server, and what a second process on the same databases shows of what the first one did.
 */

const data = mkdtempSync(join(tmpdir(), 'serval-big-cat-'))
const prefix = uniquePrefix()

afterAll(async () => {
  await killAll()
  if (postgresUrl !== undefined) await dropDatabases(postgresUrl, prefix)
  rmSync(data, { recursive: true, force: true })
})

const startHost = (name: string, url: string) =>
  startShop({
    data: join(data, name),
    setup: 'big-cat',
    env: { SERVAL_DATABASE_URL: url, SERVAL_DATABASE_PREFIX: prefix },
  })

if (givenPlace() !== undefined)
  skippedSuite('big-cat', 'the shop at SERVAL_ACCEPTANCE_URL is tested')
else if (postgresUrl === undefined) skippedSuite('big-cat', whyNoPostgres)
else {
  const url = postgresUrl
  const first = await startHost('first', url)
  await apiSuite(first)

  describe('a second host', () => {
    let second: ShopProcess
    let here: World
    let there: World
    // Not before: each keeps the mails that it sends.
    beforeAll(async () => {
      // Hosts of one system share its master secret.
      mkdirSync(join(data, 'second'))
      copyFileSync(join(data, 'first', 'secret'), join(data, 'second', 'secret'))
      second = await startHost('second', url)
      here = await openWorld(first)
      there = await openWorld(second)
    })
    /** How long until the other host answers so, after `change` was answered. */
    const msUntil = async (
      change: () => Promise<unknown>,
      seen: () => Promise<boolean>,
    ): Promise<number> => {
      await change()
      const begun = performance.now()
      expect(await until(seen, (yes) => yes)).toBe(true)
      return performance.now() - begun
    }

    test('refuses within a second the tokens of a session that ended on the first', async () => {
      const user = await here.register()
      const me = async () => (await there.ask('GET /api/v1/users/me', { as: user })).status
      expect(await me()).toBe(200)
      const ms = await msUntil(
        () => here.ask('POST /api/v1/auth/logout', { as: user }),
        async () => (await me()) === 401,
      )
      expect(ms).toBeLessThan(1_000)
    })

    test('shows within a second a product, a list and a profile that were changed on the first', async () => {
      const { merchant } = here
      const category = here.fresh('Category')
      const sku = await here.product({ category })
      const list = `GET /api/v1/products?category=${encodeURIComponent(category)}`
      const profile = () => there.ask('GET /api/v1/users/me', { as: merchant })
      // Cached there, from now on.
      for (const path of [`GET /api/v1/products/${sku}`, list])
        await until(
          () => there.ask(path),
          ({ headers, text }) =>
            text.includes(sku) && (headers['cache-status'] ?? '').includes('hit'),
        )
      await profile()
      const product = await msUntil(
        () => here.ask(`PATCH /api/v1/products/${sku}`, { as: merchant, body: { name: 'Other' } }),
        async () => (await there.ask(`GET /api/v1/products/${sku}`)).text.includes('"Other"'),
      )
      const listed = await msUntil(
        () => here.ask(`DELETE /api/v1/products/${sku}`, { as: merchant }),
        async () => !(await there.ask(list)).text.includes(sku),
      )
      const named = await msUntil(
        () => here.ask('PATCH /api/v1/users/me', { as: merchant, body: { name: 'Other' } }),
        async () => (await profile()).text.includes('"Other"'),
      )
      expect(Math.max(product, listed, named)).toBeLessThan(1_000)
    })

    test('repeats an order that was placed on the first, and knows its tokens and its ways', async () => {
      const sku = await here.product({ onHand: 10 })
      const key = here.fresh('key')
      const lines = [{ sku, quantity: 1 }]
      const placed = await here.place(here.customer, lines, { key })
      const again = await there.place(here.customer, lines, { key })
      expect([again.status, again.text]).toEqual([201, placed.text])
      const { id } = placed.json<{ id: string }>()
      expect(await there.settled(here.customer, id)).toMatchObject({ status: 'confirmed' })
      const { refreshToken } = here.customer
      const body = { refreshToken }
      const traded = await there.ask('POST /api/v1/auth/refresh', { body })
      const repeated = await here.ask('POST /api/v1/auth/refresh', { body })
      expect([repeated.status, repeated.text]).toEqual([200, traded.text])
      const { accessToken } = traded.json<SignedIn>()
      expect((await here.ask('GET /api/v1/orders', { as: accessToken })).status).toBe(200)
    })

    test('ends as the first one does, and neither has logged anything but what it must', async () => {
      for (const { code, stderr } of await Promise.all([first.stop(), second.stop()])) {
        expect(code).toBe(0)
        expect(unexpectedLines(stderr, /a refresh token was used again/)).toEqual([])
      }
    })
  })
}

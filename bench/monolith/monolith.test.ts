import { startOwnPostgres } from 'serval/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contendersOf, type Contender } from '../contenders/index.ts'
import { installed, notInstalled } from '../machine/about.ts'
import { benchSkus, prepare, signIn } from '../prepare.ts'

/*
 * What the shop is compared with must be right before it is fast: keys are honoured, stock never goes below zero, all of an
 * order or nothing of it happens.
 */

const probe = await startOwnPostgres()
const missing = 'missing' in probe ? probe.missing : installed ? undefined : notInstalled
if (!('missing' in probe)) await probe.stop()
const title = missing === undefined ? '' : ` [skipped: ${missing}]`

const eventually = async (check: () => Promise<boolean>, what: string) => {
  const until = performance.now() + 15_000
  while (!(await check())) {
    if (performance.now() > until) throw new Error(`${what} did not happen`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

for (const id of ['fastify-node', 'hono-bun'])
  describe.skipIf(missing !== undefined)(`the monolith ${id}${title}`, () => {
    let shop: Contender
    let tokens: readonly string[]
    const [sku = '', scarce = ''] = benchSkus

    beforeAll(async () => {
      const startable = contendersOf({}).find(({ info }) => info.id === id)
      if (startable === undefined) throw new Error(`there is no ${id}`)
      shop = await startable.start(startable.info)
      await prepare(shop)
      tokens = await signIn(shop)
    }, 60_000)
    afterAll(() => shop.stop())

    const send = async (
      method: string,
      path: string,
      body: unknown,
      headers: Record<string, string> = {},
    ) => {
      const response = await fetch(`http://127.0.0.1:${shop.address.port}${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: response.status, text: await response.text() }
    }
    const place = (key: string, lines: unknown, token = tokens[0]) =>
      send(
        'POST',
        '/api/v1/orders',
        { lines, payment: { token: 'tok_ok' } },
        {
          authorization: `Bearer ${token}`,
          ...(key === '' ? {} : { 'idempotency-key': key }),
        },
      )

    test('a key answers once for all, also when it comes eight times at once', async () => {
      const before = await shop.carried()
      const lines = [{ sku, quantity: 1 }]
      const replies = await Promise.all(Array.from({ length: 8 }, () => place('same', lines)))
      expect(new Set(replies.map(({ text }) => text)).size).toBe(1)
      expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 201))
      expect((await place('same', [{ sku, quantity: 2 }])).status).toBe(422)
      expect((await place('same', lines, tokens[1])).text).not.toBe(replies[0]?.text)
      const two = async () => (await shop.carried()).confirmed === before.confirmed + 2
      await eventually(two, 'the confirmation of two orders')
      expect(await shop.carried()).toMatchObject({
        notified: before.notified + 2,
        counted: (before.counted ?? 0) + 2,
      })
    })

    test('what is wrong is refused', async () => {
      const good = [{ sku, quantity: 1 }]
      expect((await place('', good)).status).toBe(400)
      expect((await place('no-token', good, 'nobody')).status).toBe(401)
      expect((await place('none', [])).status).toBe(400)
      expect((await place('half', [{ sku, quantity: 0.5 }])).status).toBe(400)
      expect((await place('more', [{ sku, quantity: 1, price: 0 }])).status).toBe(400)
      expect((await place('unknown', [{ sku: 'NONE', quantity: 1 }])).status).toBe(422)
      expect((await send('GET', '/api/v1/products/NONE', undefined)).status).toBe(404)
      const login = { email: 'nobody@bench.test', password: 'bench-password' }
      expect((await send('POST', '/api/v1/auth/login', login)).status).toBe(401)
    })

    test('the same SKU twice is summed, and the total is of the catalogue’s prices', async () => {
      const { text } = await place('sum', [
        { sku, quantity: 1 },
        { sku, quantity: 2 },
      ])
      expect(JSON.parse(text)).toMatchObject({
        status: 'placed',
        lines: [{ sku, quantity: 3, price: { amount: 100, currency: 'GBP' } }],
        total: { amount: 300, currency: 'GBP' },
      })
    })

    test('of more orders than there are units, as many are confirmed as the stock covers', async () => {
      const { accessToken } = JSON.parse(
        (
          await send('POST', '/api/v1/auth/login', {
            email: 'merchant@shop.test',
            password: 'serval-demo',
          })
        ).text,
      ) as { accessToken: string }
      const merchant = { authorization: `Bearer ${accessToken}` }
      const none = async () => {
        const { text } = await send('GET', '/audit', undefined)
        return (JSON.parse(text) as { open: number }).open === 0
      }
      await send('PUT', `/api/v1/stock/${scarce}`, { onHand: 5 }, merchant)
      await eventually(none, 'the end of the orders before')
      const before = await shop.carried()
      await Promise.all(
        Array.from({ length: 10 }, (_, n) => place(`scarce-${n}`, [{ sku: scarce, quantity: 1 }])),
      )
      await eventually(none, 'the end of all orders')
      expect(await shop.carried()).toMatchObject({
        confirmed: before.confirmed + 5,
        notified: before.notified + 5,
      })
    })
  })

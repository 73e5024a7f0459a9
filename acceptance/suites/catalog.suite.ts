import { describe, expect, test } from 'vitest'
import { pointersOf, problemOf } from '../problem.ts'
import { until } from '../until.ts'
import type { World } from '../world.ts'

/** Products, categories, stock and quotes. */
export const catalogSuite = (world: World): void => {
  const { ask, fresh, product, merchant, customer, run } = world
  const price = { amount: 1_250, currency: 'GBP' }

  describe('a product', () => {
    test('is added by a merchant, once', async () => {
      const sku = fresh('A b/c%')
      const body = { sku, name: 'Blue Mug', price, category: `Mugs ${run}` }
      const path = `/api/v1/products/${encodeURIComponent(sku)}`
      const created = await ask('POST /api/v1/products', { as: merchant, body })
      expect([created.status, created.headers['location']]).toEqual([201, path])
      const read = await ask(`GET ${path}`)
      expect(read.json()).toEqual({ ...body, description: '', attributes: {} })
      expect([read.text, read.headers['etag']]).toEqual([created.text, created.headers['etag']])
      problemOf(await ask('POST /api/v1/products', { as: merchant, body }), 409, 'product-exists')
      problemOf(await ask('POST /api/v1/products', { as: customer, body }), 403, 'forbidden')
      problemOf(await ask('POST /api/v1/products', { body }), 401, 'unauthenticated')
      const many = Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`a${at}`, '']))
      const full = { ...body, sku: fresh('full'), attributes: many }
      problemOf(
        await ask('POST /api/v1/products', { as: merchant, body: full }),
        422,
        'too-many-attributes',
      )
      for (const [bad, pointer] of [
        [{ sku: ' a' }, '/sku'],
        [{ price: { amount: -1, currency: 'GBP' } }, '/price/amount'],
        [{ price: { amount: 1, currency: 'gbp' } }, '/price/currency'],
        [{ category: '' }, '/category'],
        [{ description: 'x'.repeat(2_001) }, '/description'],
      ] as const)
        expect(
          pointersOf(
            await ask('POST /api/v1/products', { as: merchant, body: { ...body, ...bad } }),
          ),
        ).toEqual([pointer])
    })

    test('is read from caches that a change drops, and revalidated by clients', async () => {
      const sku = await product()
      const path = `/api/v1/products/${sku}`
      const read = (headers = {}) => ask(`GET ${path}`, { headers })
      await read()
      const kept = await read()
      expect(kept.headers).toMatchObject({
        'cache-control': 'max-age=0, must-revalidate',
        'cache-status': expect.stringContaining('; hit'),
      })
      const etag = kept.headers['etag'] ?? ''
      const known = await read({ 'if-none-match': `"x", W/${etag}` })
      expect([known.status, known.text, known.headers['etag']]).toEqual([304, '', etag])
      const head = await ask(`HEAD ${path}`)
      expect([head.status, head.headers['content-length'], head.text]).toEqual([
        200,
        String(kept.body.length),
        '',
      ])
      const patched = await ask(`PATCH ${path}`, { as: merchant, body: { name: 'Renamed' } })
      expect(patched.json()).toMatchObject({ sku, name: 'Renamed' })
      const next = await read({ 'if-none-match': etag })
      expect([next.status, next.text]).toEqual([200, patched.text])
      problemOf(await ask('GET /api/v1/products/NOT-HERE'), 404, 'no-such-product')
    })

    test('is changed by a merge patch, of the version that was read if one is named', async () => {
      const attributes = { colour: 'blue', size: 'L' }
      const sku = await product({ description: 'Fine', attributes })
      const path = `/api/v1/products/${sku}`
      const patch = (body: object, headers = {}, as = merchant) =>
        ask(`PATCH ${path}`, { as, body, headers })
      const type = { 'content-type': 'application/merge-patch+json' }
      const first = await patch(
        { description: null, attributes: { size: null, weight: '1' }, price: { amount: 7 } },
        type,
      )
      expect(first.json()).toMatchObject({
        description: '',
        attributes: { colour: 'blue', weight: '1' },
        price: { amount: 7, currency: 'GBP' },
      })
      const ifMatch = { 'if-match': first.headers['etag'] ?? '' }
      expect((await patch({ name: 'One' }, ifMatch)).status).toBe(200)
      problemOf(await patch({ name: 'Two' }, ifMatch), 412, 'precondition-failed', path)
      problemOf(await patch({ name: 'x' }, {}, customer), 403, 'forbidden')
      for (const [body, pointer] of [
        [{ name: null }, '/name'],
        [{ sku: 'other' }, '/sku'],
        [{ surprise: 1 }, '/surprise'],
        [{ price: { currency: 'x' } }, '/price/currency'],
      ] as const)
        expect(pointersOf(await patch(body))).toEqual([pointer])
      const nowhere = 'PATCH /api/v1/products/NOT-HERE'
      problemOf(await ask(nowhere, { as: merchant, body: {} }), 404, 'no-such-product')
    })

    test('is taken off the catalog', async () => {
      const sku = await product({ onHand: 1 })
      const path = `/api/v1/products/${sku}`
      await ask(`GET ${path}`)
      const remove = (as = merchant, headers = {}) => ask(`DELETE ${path}`, { as, headers })
      problemOf(await remove(customer), 403, 'forbidden')
      problemOf(await remove(merchant, { 'if-match': '"stale"' }), 412, 'precondition-failed')
      expect((await remove()).status).toBe(204)
      problemOf(await ask(`GET ${path}`), 404, 'no-such-product')
      problemOf(await remove(), 404, 'no-such-product')
      problemOf(await world.place(customer, [{ sku, quantity: 1 }]), 422, 'unknown-sku')
    })
  })

  describe('the catalog', () => {
    interface Page {
      readonly items: readonly { readonly sku: string }[]
      readonly next?: string
    }
    const list = async (query: string) => (await ask(`GET /api/v1/products?${query}`)).json<Page>()

    test('is searched by words and category, a page at a time', async () => {
      const category = fresh('Étagère')
      const [word, other] = [fresh('w').replaceAll('-', ''), fresh('v').replaceAll('-', '')]
      const first = await product({ name: `Ünïque ${word}`, category })
      const second = await product({ name: 'Plain', description: word.toUpperCase(), category })
      const third = await product({ name: `${word} ${other}`, category: fresh('Another') })
      const skus = async (query: string) => (await list(query)).items.map(({ sku }) => sku).sort()
      expect(await skus(`q=${word}`)).toEqual([first, second, third].sort())
      expect(await skus(`q=${other}+${word}`)).toEqual([third])
      expect(await skus(`q=${encodeURIComponent('ÜNÏQUE')}+${word}`)).toEqual([first])
      expect(await skus(`q=${word}&category=${encodeURIComponent(category)}`)).toEqual(
        [first, second].sort(),
      )
      expect(await skus(`q=${word}+${fresh('nothing')}`)).toEqual([])
      const seen: string[] = []
      for (let cursor = ''; ;) {
        const reply = await ask(`GET /api/v1/products?q=${word}&limit=2${cursor}`)
        const page = reply.json<Page>()
        seen.push(...page.items.map(({ sku }) => sku))
        expect(reply.headers['link'] === undefined).toBe(page.next === undefined)
        if (page.next === undefined) break
        expect(reply.headers['link']).toContain(`cursor=${page.next}>; rel="next"`)
        cursor = `&cursor=${page.next}`
      }
      expect(seen).toEqual([first, second, third].sort())
    })

    test('shows a new product in the next list, and counts it in its category', async () => {
      const category = fresh('Category')
      const query = `category=${encodeURIComponent(category)}`
      const categories = async () => {
        const counts = new Map<string, number>()
        for (let cursor = ''; ;) {
          const page = (await ask(`GET /api/v1/categories?limit=100${cursor}`)).json<{
            items: { name: string; products: number }[]
            next?: string
          }>()
          for (const { name, products } of page.items) counts.set(name, products)
          if (page.next === undefined) return counts.get(category)
          cursor = `&cursor=${encodeURIComponent(page.next)}`
        }
      }
      expect((await list(query)).items).toEqual([])
      expect(await categories()).toBe(undefined)
      const sku = await product({ category })
      expect((await list(query)).items).toMatchObject([{ sku }])
      expect(await categories()).toBe(1)
    })
  })

  describe('stock', () => {
    const read = (sku: string) => ask(`GET /api/v1/stock/${sku}`)
    const count = (sku: string, onHand: unknown, as = merchant) =>
      ask(`PUT /api/v1/stock/${sku}`, { as, body: { onHand } })
    const adjust = (sku: string, body: object, key: string | undefined = fresh('key')) =>
      ask(`POST /api/v1/stock/${sku}/adjustments`, {
        as: merchant,
        body,
        headers: key === '' ? {} : { 'idempotency-key': key },
      })

    test('is counted by merchants and read by anybody, never from a cache of old', async () => {
      const sku = await product()
      problemOf(await read(sku), 404, 'no-such-stock')
      expect((await count(sku, 7)).json()).toEqual({ sku, available: 7 })
      const reply = await read(sku)
      expect(reply.json()).toEqual({ sku, available: 7 })
      expect(reply.headers['cache-control']).toMatch(/max-age=[01]\b|no-store|no-cache/)
      expect((await count(sku, 3)).status).toBe(200)
      expect((await read(sku)).json()).toEqual({ sku, available: 3 })
      problemOf(await count(sku, 7, customer), 403, 'forbidden')
      for (const bad of [-1, 1.5, '1', 1_000_000_001])
        expect(new Set(pointersOf(await count(sku, bad)))).toEqual(new Set(['/onHand']))
    })

    test('is not counted below what is reserved', async () => {
      const sku = await product({ onHand: 5 })
      const { id } = (
        await world.place(customer, [{ sku, quantity: 2 }], { token: 'tok_slow' })
      ).json<{ id: string }>()
      await world.settled(customer, id, /^(reserved|paid|confirmed)$/)
      const below = await count(sku, 1)
      // Whoever is very late finds the order confirmed.
      if (below.status !== 200) {
        expect(problemOf(below, 409, 'below-reserved')).toMatchObject({ sku, reserved: 2 })
        expect((await read(sku)).json()).toEqual({ sku, available: 3 })
        problemOf(await adjust(sku, { delta: -4, reason: 'lost' }), 409, 'below-reserved')
      }
      expect(await world.settled(customer, id)).toMatchObject({ status: 'confirmed' })
    })

    test('is adjusted once under a key, with a reason that is kept', async () => {
      const sku = await product({ onHand: 5 })
      const key = fresh('key')
      const first = await adjust(sku, { delta: -2, reason: 'broken' }, key)
      expect(first.status).toBe(201)
      expect(first.json()).toMatchObject({
        sku,
        available: 3,
        adjustment: { delta: -2, reason: 'broken', by: merchant.id },
      })
      const again = await adjust(sku, { delta: -2, reason: 'broken' }, key)
      expect([again.status, again.text]).toEqual([201, first.text])
      problemOf(
        await adjust(sku, { delta: -1, reason: 'broken' }, key),
        422,
        'idempotency-key-reused',
      )
      problemOf(await adjust(sku, { delta: 1, reason: 'x' }, ''), 400, 'idempotency-key-missing')
      expect(pointersOf(await adjust(sku, { delta: 0, reason: 'x' }))).toEqual(['/delta'])
      expect(pointersOf(await adjust(sku, { delta: 1, reason: '' }))).toEqual(['/reason'])
      const most = { delta: 1_000_000_000, reason: 'x' }
      problemOf(await adjust(sku, most), 422, 'too-many-units')
      problemOf(await adjust('NOT-HERE', { delta: 1, reason: 'x' }), 404, 'no-such-stock')
      await adjust(sku, { delta: 4, reason: 'found' })
      const path = `GET /api/v1/stock/${sku}/adjustments`
      const { items } = (await ask(path, { as: merchant })).json<{ items: { delta: number }[] }>()
      expect(items.map(({ delta }) => delta)).toEqual([4, -2])
      expect((await read(sku)).json()).toEqual({ sku, available: 7 })
      problemOf(await ask(path, { as: customer }), 403, 'forbidden')
    })
  })

  describe('a quote', () => {
    const quote = (lines: unknown) => ask('POST /api/v1/quotes', { body: { lines } })

    test('has prices and a total, at the price of this moment', async () => {
      const [a, b] = [await product(), await product({ price: { amount: 3, currency: 'GBP' } })]
      const lines = [
        { sku: a, quantity: 2 },
        { sku: b, quantity: 10 },
        { sku: a, quantity: 1 },
      ]
      expect((await quote(lines)).json()).toEqual({
        lines: [
          { sku: a, quantity: 3, price, total: { amount: 3_750, currency: 'GBP' } },
          {
            sku: b,
            quantity: 10,
            price: { amount: 3, currency: 'GBP' },
            total: { amount: 30, currency: 'GBP' },
          },
        ],
        total: { amount: 3_780, currency: 'GBP' },
      })
      await ask(`PATCH /api/v1/products/${b}`, { as: merchant, body: { price: { amount: 4 } } })
      const shown = await until(
        async () => (await quote(lines)).json<{ total: { amount: number } }>().total.amount,
        (amount) => amount === 3_790,
      )
      expect(shown).toBe(3_790)
    })

    test('is refused for what is not there, does not add up, or is too much', async () => {
      const [a, euro] = [await product(), await product({ price: { amount: 1, currency: 'EUR' } })]
      const dear = await product({ price: { amount: Number.MAX_SAFE_INTEGER, currency: 'GBP' } })
      const line = (sku: string, quantity: unknown = 1) => ({ sku, quantity })
      const unknown = problemOf(await quote([line('NOT-HERE'), line(a)]), 422, 'unknown-sku')
      expect(unknown).toMatchObject({ skus: ['NOT-HERE'] })
      problemOf(await quote([line(a), line(euro)]), 422, 'mixed-currencies')
      problemOf(await quote([line(dear, 2)]), 422, 'total-too-large')
      expect(pointersOf(await quote([]))).toEqual(['/lines'])
      expect(pointersOf(await quote(Array.from({ length: 1_201 }, () => line(a))))).toEqual([
        '/lines',
      ])
      for (const bad of [0, 100_001, 1.5, '1'])
        expect(new Set(pointersOf(await quote([line(a, bad)])))).toEqual(
          new Set(['/lines/0/quantity']),
        )
    })
  })
}

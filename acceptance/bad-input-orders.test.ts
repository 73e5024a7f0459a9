import { createHmac } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { pointersOf, problemOf } from './problem.ts'
import { bearer, send } from './raw-http.ts'
import { all, known, pairs, pathOf, startShopUnderTest } from './shop-under-test.ts'

/*
 * Bad input of every kind that the conventions of the HTTP API name, against every operation that the shop's own documents list. Nothing of
 * it may be answered with a 5xx, and nothing may be lost by it: the last test looks at the books.
 */

const shop = await startShopUnderTest()
const {
  address,
  operator,
  operatorKey,
  admin,
  customer,
  merchant,
  onOperator,
  operations,
  named,
  skus,
  call,
  withSample,
  ended,
} = shop
afterAll(shop.end)

describe('who calls', () => {
  const guarded = operations.filter(({ access }) => access === 'bearer')
  const [header = '', payload = '', signature = ''] = (customer ?? '').split('.')
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const decoded = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  const changed = (claims: Record<string, unknown>) =>
    `${header}.${encoded({ ...decoded(payload), ...claims })}.${signature}`
  const unsigned = (alg: string) => `${encoded({ ...decoded(header), alg })}.${payload}.`

  test('a token that is missing, made up, changed or unsigned is 401', async () => {
    const { keys: published } = (await send(address, { path: '/.well-known/jwks.json' })).json<{
      keys: { x: string; kid: string }[]
    }>()
    const signedWith = (secret: string | Buffer) => {
      const text = `${encoded({ ...decoded(header), alg: 'HS256' })}.${payload}`
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
    }
    const bad = [
      '',
      'Bearer',
      'Bearer ',
      'Bearer x',
      'Bearer null',
      'Basic dXNlcjpwYXNz',
      `Basic ${customer}`,
      `Token ${customer}`,
      `${customer}`,
      `Bearer ${customer} x`,
      `Bearer  ${customer}`,
      `Bearer ${customer}, Bearer ${customer}`,
      `Bearer ${header}.${payload}`,
      `Bearer ${header}.${payload}.`,
      `Bearer ..`,
      `Bearer ${'x'.repeat(5_000)}`,
      `Bearer ${customer}=`,
      `Bearer ${unsigned('none')}`,
      `Bearer ${unsigned('None')}`,
      `Bearer ${unsigned('none')}${signature}`,
      ...[
        { roles: ['admin', 'merchant'] },
        { exp: 4_102_444_800 },
        { exp: 1 },
        { exp: 'soon' },
        { sub: 'x' },
        { aud: 'other' },
        { iss: 'other' },
        { nbf: 4_102_444_800 },
      ].map((claims) => `Bearer ${changed(claims)}`),
      ...published
        .flatMap(({ x, kid }) => [x, Buffer.from(x, 'base64url'), kid])
        .map((secret) => `Bearer ${signedWith(secret)}`),
      `Bearer ${encoded({ ...decoded(header), kid: '../../secret' })}.${payload}.${signature}`,
      `Bearer ${encoded({ ...decoded(header), jwk: published[0] })}.${payload}.${signature}`,
      `Bearer ${encoded({ ...decoded(header), kid: 1 })}.${payload}.${signature}`,
      `Bearer ${header}.${payload}.${signature.slice(0, -4)}AAAA`,
    ]
    await all(pairs(guarded, bad), async ([operation, authorization]) => {
      const reply = await call(operation, {
        headers: { authorization },
        ...(operation.body === undefined ? {} : { body: withSample(operation) }),
      })
      problemOf(reply, 401, 'unauthenticated', pathOf(operation))
      expect(reply.headers['www-authenticate']).toMatch(/^Bearer/)
    })
    await all(guarded, async (operation) =>
      problemOf(
        await send(address, {
          method: operation.method,
          path: pathOf(operation),
          body: {},
        }),
        401,
        'unauthenticated',
      ),
    )
  })

  test('an operation for a role is 403 for everybody else, whatever is sent along', async () => {
    const forMerchants = guarded.filter(({ id }) =>
      ['catalog.create', 'inventory.count'].includes(id),
    )
    expect(forMerchants).toHaveLength(2)
    await all(pairs(forMerchants, [{}, { surprise: 1 }]), async ([operation, body]) =>
      problemOf(
        await call(operation, { headers: bearer(customer), body }),
        403,
        'forbidden',
        pathOf(operation),
      ),
    )
    await all(forMerchants, async (operation) =>
      expect(
        pointersOf(await call(operation, { headers: bearer(merchant), body: { surprise: 1 } })),
      ).not.toEqual([]),
    )
  })

  test('the operator’s address takes the operator’s key only, under its own name', async () => {
    await all(
      pairs(onOperator, [
        '',
        'x',
        operatorKey.slice(1),
        `${operatorKey}x`,
        operatorKey.toLowerCase(),
      ]),
      async ([operation, key]) =>
        problemOf(
          await call(operation, {
            headers: { 'x-serval-operator': key },
            ...(operation.body === undefined ? {} : { body: {} }),
          }),
          401,
          'unauthenticated',
        ),
    )
    await all(onOperator, async ({ method, template }) =>
      problemOf(
        await send(operator, { method, path: template, headers: bearer(admin), body: {} }),
        401,
        'unauthenticated',
      ),
    )
    await all(
      pairs(onOperator, [
        { host: 'shop.example' },
        { host: '' },
        { origin: 'https://shop.example' },
        { origin: 'null' },
        { host: '127.0.0.1.example' },
      ] as Record<string, string>[]),
      async ([operation, headers]) =>
        problemOf(await call(operation, { headers }), 421, 'misdirected'),
    )
  })

  test('another’s order is not there', async () => {
    const { id } = (
      await call(named('orders.place'), {
        headers: bearer(customer),
        body: withSample(named('orders.place')),
      })
    ).json<{ id: string }>()
    for (const [method, path] of [
      ['GET', `/api/v1/orders/${id}`],
      ['POST', `/api/v1/orders/${id}/cancel`],
    ] as const) {
      problemOf(
        await send(address, { method, path, headers: bearer(merchant) }),
        404,
        'no-such-order',
        path,
      )
      expect((await send(address, { method, path, headers: bearer(customer) })).status).not.toBe(
        404,
      )
    }
    const list = (
      await send(address, { path: '/api/v1/orders?limit=100', headers: bearer(merchant) })
    ).json<{ items: { id: string }[] }>()
    expect(list.items.map((order) => order.id)).not.toContain(id)
    await all(
      [
        'x',
        id.slice(1),
        `${id}x`,
        id.toUpperCase(),
        '00000000-0000-0000-0000-000000000000',
        "' or 1=1",
        '%20',
        '..',
        '_',
        '%25',
      ],
      async (other) => {
        const path = `/api/v1/orders/${encodeURIComponent(other)}`
        problemOf(
          await send(address, { path, headers: bearer(customer) }),
          404,
          'no-such-order',
          path,
        )
      },
    )
    await all(['x'.repeat(65), 'a%00b'], async (other) =>
      expect(
        pointersOf(
          await send(address, { path: `/api/v1/orders/${other}`, headers: bearer(customer) }),
        ),
      ).toEqual(['/id']),
    )
  })
})

describe('orders', () => {
  const place = (body: unknown, headers: Record<string, string> = {}) =>
    call(named('orders.place'), { headers: { ...bearer(customer), ...headers }, body })
  const order = (lines: unknown, more: object = {}) => ({
    lines,
    payment: { token: 'tok_ok' },
    ...more,
  })
  const line = (quantity: unknown, sku: unknown = known.sku) => ({ sku, quantity })
  const product = async (sku: string, amount: number, currency: string, onHand = 10) => {
    await call(named('catalog.create'), {
      body: { sku, name: sku, price: { amount, currency }, category: 'Bad input' },
    })
    await call(named('inventory.count'), {
      path: `/api/v1/stock/${encodeURIComponent(sku)}`,
      body: { onHand },
    })
  }

  test('need an idempotency key, which stands for one body', async () => {
    const body = order([line(1)])
    const path = '/api/v1/orders'
    const request = (key: string | undefined, sent: unknown) =>
      send(address, {
        method: 'POST',
        path,
        headers: { ...bearer(customer), ...(key === undefined ? {} : { 'idempotency-key': key }) },
        body: sent,
      })
    for (const key of [undefined, ''])
      problemOf(await request(key, body), 400, 'idempotency-key-missing', path)
    for (const key of ['x'.repeat(256), 'é', 'a\tb'])
      problemOf(await request(key, body), 400, 'invalid-input', path)
    const key = `${'k'.repeat(240)}${'1'.padEnd(14)}.`.slice(-255)
    const first = await request(key, body)
    expect(first.status).toBe(201)
    const again = await Promise.all([
      request(key, body),
      request(key, JSON.parse(JSON.stringify(body, null, 3))),
      request(key, { payment: body.payment, lines: body.lines }),
    ])
    for (const reply of again) {
      expect([
        reply.status,
        reply.text,
        reply.headers['location'],
        reply.headers['content-type'],
      ]).toEqual([201, first.text, first.headers['location'], first.headers['content-type']])
    }
    for (const other of [order([line(2)]), order([line(1)], { payment: { token: 'tok_slow' } })])
      problemOf(await request(key, other), 422, 'idempotency-key-reused', path)
    // Somebody else's key is another key.
    const others = await send(address, {
      method: 'POST',
      path,
      headers: { ...bearer(merchant), 'idempotency-key': key },
      body,
    })
    expect(others.status).toBe(201)
    expect(others.text).not.toBe(first.text)
  })

  test('at once under one key are one order', async () => {
    const key = { 'idempotency-key': 'at once' }
    const replies = await Promise.all(Array.from({ length: 8 }, () => place(order([line(1)]), key)))
    for (const reply of replies) expect([201, 409]).toContain(reply.status)
    expect(
      new Set(replies.filter(({ status }) => status === 201).map(({ text }) => text)).size,
    ).toBe(1)
  })

  test('have 1 to 1,200 lines of 1 to 100,000 units', async () => {
    await product('BULK', 1, 'GBP', 1_000_000_000)
    for (const lines of [[], Array.from({ length: 1_201 }, () => line(1))])
      expect(pointersOf(await place(order(lines)))).toEqual(['/lines'])
    for (const quantity of [0, -1, 1.5, 100_001, 1e20, '1', null])
      expect(new Set(pointersOf(await place(order([line(1), line(quantity)]))))).toEqual(
        new Set(['/lines/1/quantity']),
      )
    const most = await place(order(Array.from({ length: 1_200 }, () => line(100_000, 'BULK'))))
    expect(most.status).toBe(201)
    expect(most.json()).toMatchObject({
      lines: [{ sku: 'BULK', quantity: 120_000_000 }],
      total: { amount: 120_000_000, currency: 'GBP' },
    })
    const summed = await place(order([line(2), line(1, skus[1]), line(3)]))
    expect(
      summed
        .json<{ lines: { sku: string; quantity: number }[] }>()
        .lines.map(({ sku, quantity }) => [sku, quantity]),
    ).toEqual([
      [known.sku, 5],
      [skus[1], 1],
    ])
  })

  test('name products that are there, in one currency, up to 2^53−1', async () => {
    await Promise.all([
      product('EURO', 1, 'EUR'),
      product('DEAR', Number.MAX_SAFE_INTEGER, 'GBP'),
      product('FREE', 0, 'GBP'),
    ])
    expect(
      problemOf(
        await place(order([line(1, 'NOT THERE'), line(1), line(1, 'not there')])),
        422,
        'unknown-sku',
        '/api/v1/orders',
      ),
    ).toMatchObject({ skus: ['NOT THERE', 'not there'] })
    problemOf(await place(order([line(1), line(1, 'EURO')])), 422, 'mixed-currencies')
    problemOf(await place(order([line(2, 'DEAR')])), 422, 'total-too-large')
    problemOf(await place(order([line(100_000, 'DEAR')])), 422, 'total-too-large')
    problemOf(await place(order([line(1, 'DEAR'), line(1)])), 422, 'total-too-large')
    for (const lines of [
      [line(1, 'DEAR'), line(1, 'FREE')],
      [line(1, 'DEAR')],
      [line(1, 'FREE')],
      [line(1, 'EURO')],
    ])
      expect((await place(order(lines))).status).toBe(201)
    for (const field of ['lines', 'payment'] as const)
      expect(pointersOf(await place({ ...order([line(1)]), [field]: undefined }))).toEqual([
        `/${field}`,
      ])
    const shipTo = { name: 'N', street: 'S', city: 'C', postcode: 'P', country: 'X' }
    for (const [field, value] of Object.entries({
      name: '',
      street: 'x'.repeat(201),
      postcode: 'x'.repeat(21),
      country: null,
    }))
      expect(
        pointersOf(await place(order([line(1)], { shipTo: { ...shipTo, [field]: value } }))),
      ).toEqual([`/shipTo/${field}`])
    for (const token of ['', 'x'.repeat(201), '\u0000'])
      expect(pointersOf(await place(order([line(1)], { payment: { token } })))).toEqual([
        '/payment/token',
      ])
  })

  test('paid with a token that the provider does not know are cancelled, not failed', async () => {
    const { id } = (await place(order([line(1)], { payment: { token: '<no such token>' } }))).json<{
      id: string
    }>()
    expect(await ended(id)).toMatchObject({ status: 'cancelled', reason: 'payment-declined' })
  })
})

test('after all of it the shop takes an order, and its books are right', shop.expectBooksInOrder)

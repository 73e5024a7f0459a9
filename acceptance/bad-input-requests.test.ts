import { afterAll, describe, expect, test } from 'vitest'
import { pointerOf, type ListedOperation } from './operations.ts'
import { faultsOf } from './faults.ts'
import { pointersOf, problemOf } from './problem.ts'
import { bearer, converse, requestBytes, send, type Reply } from './raw-http.ts'
import { all, json, pairs, pathOf, startShopUnderTest } from './shop-under-test.ts'

/*
 * Bad input of every kind that the conventions of the HTTP API name, against every operation that the shop's own documents list. Nothing of
 * it may be answered with a 5xx, and nothing may be lost by it: the last test looks at the books.
 */

const shop = await startShopUnderTest()
const {
  address,
  operator,
  admin,
  onPublic,
  onOperator,
  operations,
  withBody,
  named,
  skus,
  call,
  withSample,
} = shop
afterAll(shop.end)

// A request that is not complete in ten seconds, begun now and looked at in the last test but one.
const unfinished = {
  'its headers': `POST /api/v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-le`,
  'its body': `POST /api/v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"lines":`,
  'a chunk of its body': `POST /api/v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n20\r\n{"lines":`,
}
const slow = Object.entries(unfinished).map(async ([what, bytes]) => ({
  what,
  ...(await converse(address, bytes, { untilClosed: true })),
}))

describe('addresses', () => {
  test('query parameters that are not known, come twice or do not fit are named', async () => {
    const gets = operations.filter(({ method }) => method === 'GET')
    const withQuery = (operation: ListedOperation, query: string) => `${pathOf(operation)}?${query}`
    await all(
      pairs(gets, ['surprise', '__proto__', 'constructor', 'Limit', 'a/b']),
      async ([operation, name]) => {
        const path = withQuery(operation, `${encodeURIComponent(name)}=1`)
        expect(pointersOf(await call(operation, { path }))).toEqual([pointerOf([name])])
      },
    )
    const parameters = gets.flatMap((operation) =>
      operation.parameters
        .filter((one) => one.in === 'query')
        .map((parameter) => [operation, parameter] as const),
    )
    await all(parameters, async ([operation, { name, schema }]) => {
      const refused = async (value: string) =>
        expect([
          value,
          pointersOf(await call(operation, { path: withQuery(operation, `${name}=${value}`) })),
        ]).toEqual([value, [`/${name}`]])
      expect(
        pointersOf(await call(operation, { path: withQuery(operation, `${name}=1&${name}=1`) })),
      ).toEqual([`/${name}`])
      if (schema.type === 'integer')
        for (const value of [
          '0',
          '101',
          '-1',
          '1.5',
          'abc',
          '',
          '%201',
          '0x10',
          '1e400',
          'NaN',
          '٣',
          'true',
          'null',
        ])
          await refused(value)
      if (schema.enum !== undefined)
        for (const value of ['bogus', '', 'PLACED', 'placed%20']) await refused(value)
      if (name === 'cursor')
        for (const value of [
          '',
          'x',
          '!!!',
          'W10',
          'e30',
          'bnVsbA',
          '%F0%9F%98%80',
          'WyJ4Il0=',
          'x'.repeat(201),
          'WyInOyBkcm9wIHRhYmxlIG9yZGVycyJd%20',
        ])
          await refused(value)
      if (schema.type === 'string') for (const value of ['%00', 'a%00b']) await refused(value)
      // Broken percent-encodings are texts like others (URL standard): never a fault of ours.
      for (const value of ['%', '%zz', '%ff', '%ed%a0%80'])
        expect(
          (await call(operation, { path: withQuery(operation, `${name}=${value}`) })).status,
        ).toBeLessThan(500)
    })
    await all(
      operations.filter(({ method }) => method !== 'GET' && method !== 'DELETE'),
      async (operation) =>
        expect(
          pointersOf(
            await call(operation, {
              path: `${pathOf(operation)}?limit=1`,
              ...(operation.body === undefined ? {} : { body: withSample(operation) }),
            }),
          ),
        ).toEqual(['/limit']),
    )
  })

  test('a cursor goes on where it was made, and one that was changed is refused', async () => {
    const page = await send(address, { path: '/api/v1/products?limit=1' })
    const { next } = page.json<{ next: string }>()
    expect(page.headers['link']).toBe(`</api/v1/products?limit=1&cursor=${next}>; rel="next"`)
    expect(
      (await send(address, { path: `/api/v1/products?limit=1&cursor=${next}` })).json<{
        items: { sku: string }[]
      }>().items[0]?.sku,
    ).toBe(skus[1])
    const changed = [
      `${next}A`,
      next.slice(1),
      `A${next.slice(1)}`,
      `${next}=`,
      `${next}%3D`,
      next.slice(0, -1),
    ]
    await all(changed, async (cursor) =>
      expect(
        pointersOf(await send(address, { path: `/api/v1/products?cursor=${cursor}` })),
      ).toEqual(['/cursor']),
    )
  })

  test('a list has 1 to 100 items', async () => {
    for (const limit of [1, 100])
      expect((await send(address, { path: `/api/v1/products?limit=${limit}` })).status).toBe(200)
    const { items } = (await send(address, { path: '/api/v1/products' })).json<{
      items: unknown[]
    }>()
    expect(items).toHaveLength(20)
  })

  test('what is not there is 404', () =>
    all(
      [
        '/',
        '/api',
        '/api/',
        '/api/v1',
        '/api/v1/products/',
        '//api/v1/products',
        '/api/v1//products',
        '/api/v1/products/A/B',
        '/API/v1/products',
        '/api/v1/%70roducts',
        '/api/v1/products/%',
        '/api/v1/products/%zz',
        '/api/v1/products/%ff',
        '/api/v1/products/%C0%AF',
        '/api/v1/products/%ED%A0%80',
        '/api/v1/../v1/products',
        '/api/v1/products/..%2f..',
        '/openapi.json/',
        '/health',
        '/health/live/x',
        '/operator/v1/orders',
        '/metrics',
        '/__proto__',
        '/constructor',
        '/api/v1/products;x=1',
        '/api/v1/orders%00',
      ],
      async (path) =>
        problemOf(
          await send(address, { path, headers: bearer(admin) }),
          404,
          path.endsWith('..%2f..') ? 'no-such-product' : 'no-such-path',
          path,
        ),
    ))

  test('the edges of a SKU', async () => {
    const printable = Array.from({ length: 0x7f - 0x21 }, (_, n) =>
      String.fromCharCode(0x21 + n),
    ).join('')
    const good = [
      printable.slice(0, 64),
      printable.slice(30),
      'a',
      'A',
      'a  b',
      'A/B',
      'A%2FB',
      '%',
      '?#',
      `${'x'.repeat(31)}  ${'y'.repeat(31)}`,
      '__proto__',
      'null',
      "'; drop table product; --",
      '...',
    ]
    for (const sku of good) expect(sku.length).toBeLessThanOrEqual(64)
    await all(good, async (sku) => {
      const path = `/api/v1/products/${encodeURIComponent(sku)}`
      expect(problemOf(await send(address, { path }), 404, 'no-such-product')).toMatchObject({
        sku,
      })
      const body = {
        sku,
        name: sku,
        price: { amount: 1, currency: 'GBP' },
        category: 'SKUs',
        description: '',
        attributes: {},
      }
      const created = await call(named('catalog.create'), { body })
      expect(created.headers['location']).toBe(path)
      expect((await send(address, { path })).json()).toEqual(body)
      problemOf(await call(named('catalog.create'), { body }), 409, 'product-exists')
      expect(
        (
          await call(named('inventory.count'), {
            path: `/api/v1/stock/${encodeURIComponent(sku)}`,
            body: { onHand: 1 },
          })
        ).json(),
      ).toEqual({ sku, available: 1 })
      const lines = [{ sku, quantity: 1 }]
      expect((await call(named('catalog.quote'), { body: { lines } })).json()).toMatchObject({
        lines: [{ sku }],
      })
    })
    const bad = [
      'x'.repeat(65),
      ' a',
      'a ',
      ' ',
      'a\tb',
      'a\x7fb',
      'é',
      '😀',
      'a\nb',
      '\u00a0',
      'a\u0000b',
      'ａ',
    ]
    await all(bad, async (sku) => {
      const encoded = encodeURIComponent(sku)
      for (const path of [`/api/v1/products/${encoded}`, `/api/v1/stock/${encoded}`])
        expect(pointersOf(await send(address, { path }))).toContain('/sku')
      expect(
        pointersOf(
          await call(named('inventory.count'), {
            path: `/api/v1/stock/${encoded}`,
            body: { onHand: 1 },
          }),
        ),
      ).toContain('/sku')
      expect(
        pointersOf(await call(named('catalog.quote'), { body: { lines: [{ sku, quantity: 1 }] } })),
      ).toContain('/lines/0/sku')
      const body = { sku, name: 'x', price: { amount: 1, currency: 'GBP' }, category: 'SKUs' }
      expect(pointersOf(await call(named('catalog.create'), { body }))).toContain('/sku')
    })
  })
})

describe('methods and headers', () => {
  const matches = (template: string, path: string) =>
    new RegExp(
      `^${template.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`).replaceAll(/\{\w+\}/g, '[^/]+')}$`,
    ).test(path)

  test('other methods are 405 with the ones that are there', () =>
    all(
      pairs(operations, ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']),
      async ([operation, method]) => {
        const path = pathOf(operation)
        const side = operation.access === 'operator' ? onOperator : onPublic
        const there = new Set(
          side.filter(({ template }) => matches(template, path)).map((one) => one.method),
        )
        if (there.has('GET')) there.add('HEAD')
        if (there.has(method)) return
        const reply = await call(operation, { method, path })
        problemOf(reply, 405, 'method-not-allowed', path)
        expect(new Set(reply.headers['allow']?.split(', '))).toEqual(there)
      },
    ))

  test('the pages beside the operations take GET and HEAD', () =>
    all(
      pairs(['/openapi.json', '/health/live', '/health/ready'], [address, operator]),
      async ([path, at]) => {
        expect((await send(at, { path })).status).toBe(200)
        expect((await send(at, { method: 'HEAD', path })).status).toBe(200)
        const reply = await send(at, { method: 'POST', path, body: {} })
        problemOf(reply, 405, 'method-not-allowed', path)
        expect(reply.headers['allow']).toBe('GET, HEAD')
      },
    ))

  test('HEAD answers as GET does, without the body', () =>
    all(
      operations.filter(({ method }) => method === 'GET'),
      async (operation) => {
        const [head, get] = [await call(operation, { method: 'HEAD' }), await call(operation)]
        expect(head.body.length).toBe(0)
        const seen = ({ status, headers }: Reply) => ({
          status,
          headers: { ...headers, date: '', 'x-request-id': '', 'cache-status': '', age: '' },
        })
        // Sums on the operator's address may grow between the two, and a failure names its request.
        if (operation.access === 'operator' || get.status >= 400)
          expect(head.status).toBe(get.status)
        else expect(seen(head)).toEqual(seen(get))
      },
    ))

  test('a reply that the client does not take is 406', async () => {
    const excluded = ['text/html', 'application/xml', '*/*;q=0.000', 'nonsense']
    const notJson = [...excluded, 'application/json;q=0', 'application/*;q=0', 'text/event-stream']
    const notEvents = [...excluded, 'application/json', 'text/event-stream;q=0']
    const accepted = ['', '*/*', 'text/html, */*;q=0.1']
    const takesJson = [
      ...accepted,
      'application/*',
      'text/html, application/json;q=0.1',
      'Application/Json',
    ]
    // Whoever is answered nothing takes it.
    const notTaken = { json: notJson, events: notEvents, nothing: [] }
    const taken = { json: takesJson, events: [...accepted, 'text/*'], nothing: excluded }
    const asking = (operation: ListedOperation, accept: string) =>
      call(operation, {
        headers: { accept },
        ...(operation.body === undefined ? {} : { body: { surprise: 1 } }),
      })
    await all(
      operations.flatMap((operation) => pairs([operation], notTaken[operation.answers])),
      async ([operation, accept]) =>
        problemOf(await asking(operation, accept), 406, 'not-acceptable', pathOf(operation)),
    )
    await all(
      operations.flatMap((operation) => pairs([operation], taken[operation.answers])),
      async ([operation, accept]) => expect((await asking(operation, accept)).status).not.toBe(406),
    )
  })

  test('a request id is kept if it is one, and made otherwise', async () => {
    const good = ['a', 'A.b_c-9', 'x'.repeat(64)]
    const bad = ['', 'x'.repeat(65), 'a b', 'a/b', 'ä', '<script>', 'a,b', '"']
    await all(
      pairs(['/api/v1/products?limit=1', '/nothing', '/health/live'], good),
      async ([path, id]) => {
        const reply = await send(address, { path, headers: { 'x-request-id': id } })
        expect(reply.headers['x-request-id']).toBe(id)
        if (reply.status === 404) expect(reply.json()).toMatchObject({ correlationId: id })
      },
    )
    await all(pairs(['/api/v1/products?limit=1', '/nothing'], bad), async ([path, id]) => {
      const made = (await send(address, { path, headers: { 'x-request-id': id } })).headers[
        'x-request-id'
      ]
      expect(made).toMatch(/^[\w.-]{1,64}$/)
      expect(made).not.toBe(id)
    })
  })

  test('headers that hold nonsense are passed over', async () => {
    const product = `/api/v1/products/${encodeURIComponent(skus[0] ?? '')}`
    const { headers } = await send(address, { path: product })
    for (const sent of [headers['etag']!, `W/${headers['etag']}`, '*', `"x", ${headers['etag']}`]) {
      const reply = await send(address, { path: product, headers: { 'if-none-match': sent } })
      expect([sent, reply.status, reply.body.length]).toEqual([sent, 304, 0])
    }
    const nonsense: Record<string, string>[] = [
      { 'if-none-match': '"x"' },
      { 'if-none-match': 'nonsense,,"' },
      { 'if-none-match': '' },
      { 'if-modified-since': 'yesterday' },
      { range: 'bytes=0-1' },
      { traceparent: 'nonsense' },
      { traceparent: '00-00000000000000000000000000000000-0000000000000000-ff' },
      { tracestate: ',,,=' },
      { cookie: ';;=;' },
      { expect: 'the worst' },
      { 'x-forwarded-for': "'; drop table" },
      { forwarded: 'for=;;;' },
      { 'x-serval-operator': 'nonsense' },
      { origin: 'null' },
      { 'x-http-method-override': 'DELETE' },
      { connection: 'x-request-id' },
      { te: 'gzip' },
    ]
    await all(nonsense, async (sent) =>
      expect((await send(address, { path: product, headers: sent })).status).toBe(200),
    )
  })
})

describe('limits', () => {
  const padded = (size: number) => `{"surprise":1${' '.repeat(size - 14)}}`

  test('a body of 1 MiB is read, one byte more is 413', () =>
    all(withBody, async (operation) => {
      expect(
        pointersOf(await call(operation, { body: padded(1024 * 1024), headers: json })),
      ).not.toContain('')
      problemOf(
        await call(operation, { body: padded(1024 * 1024 + 1), headers: json }),
        413,
        'body-too-large',
      )
    }))

  test('a body that says it is too large, or turns out to be, is 413', async () => {
    const announced = await converse(
      address,
      'POST /api/v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1048577\r\n\r\n',
    )
    problemOf(announced.reply!, 413, 'body-too-large')
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
    const chunked = await converse(address, [
      'POST /api/v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
      chunk.repeat(17),
      '0\r\n\r\n',
    ])
    problemOf(chunked.reply!, 413, 'body-too-large', '/api/v1/quotes')
    const huge = await converse(
      address,
      'POST /api/v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n',
    )
    expect([400, 413]).toContain(huge.reply?.status)
  })

  test('16 KiB of headers are read, more is 431', async () => {
    const fitting = requestBytes(address, { path: '/health/live', headers: { 'x-padding': '' } })
    const used = fitting.length - 'GET /health/live HTTP/1.1\r\n\r\n'.length
    const reply = await send(address, {
      path: '/health/live',
      headers: { 'x-padding': 'x'.repeat(16 * 1024 - used) },
    })
    expect(reply.status).toBe(200)
    problemOf(
      await send(address, {
        path: '/health/live',
        headers: { 'x-padding': 'x'.repeat(16 * 1024 - used + 1) },
      }),
      431,
      'headers-too-large',
    )
    problemOf(
      await send(address, { path: '/health/live', headers: { 'x-padding': 'x'.repeat(100_000) } }),
      431,
      'headers-too-large',
    )
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`x-${n}`, 'x']))
    problemOf(
      await send(address, { path: '/health/live', headers: many }),
      431,
      'headers-too-large',
    )
  })

  test('an address of 8 KiB is read, a longer one is 414', async () => {
    const path = (length: number) => `/api/v1/products?q=${'x'.repeat(length - 19)}`
    expect(pointersOf(await send(address, { path: path(8192) }))).toEqual(['/q'])
    problemOf(await send(address, { path: path(8193) }), 414, 'target-too-long')
    problemOf(await send(address, { path: path(60_000) }), 414, 'target-too-long')
    problemOf(await send(address, { path: `/${'x'.repeat(8192)}` }), 414, 'target-too-long')
  })
})

test('what breaks the framing of HTTP gets its status, a problem and a closed connection', async () => {
  const post = 'POST /api/v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
  const broken: readonly (readonly [string, ...number[]])[] = [
    ['nonsense\r\n\r\n', 400],
    ['\0\0\0\0\r\n\r\n', 400],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['GET /health/live\r\n\r\n', 400, 505],
    ['GET /health/live HTTP/1.1 \r\nhost: x\r\n\r\n', 400],
    ['G@T /health/live HTTP/1.1\r\nhost: x\r\n\r\n', 400],
    ['get /health/live HTTP/1.1\r\nhost: x\r\n\r\n', 400],
    ['GET /health/live HTTP/1.1\r\n\r\n', 400],
    ['GET /health/live HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n', 400],
    ['GET /health/live HTTP/1.1\r\nhost : x\r\n\r\n', 400],
    ['GET /health/live HTTP/1.1\r\nhost: x\r\nbad name: y\r\n\r\n', 400],
    ['GET /health/live HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n', 400],
    ['GET /health/live HTTP/1.1\r\nhost: x\r\nno-colon\r\n\r\n', 400],
    ['GET /health/live HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n', 400],
    [`${post}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    [`${post}content-length: 2\r\ncontent-length: 3\r\n\r\n{} `, 400],
    [`${post}content-length: -1\r\n\r\n`, 400],
    [`${post}content-length: +2\r\n\r\n{}`, 400],
    [`${post}content-length: 0x2\r\n\r\n{}`, 400],
    [`${post}content-length: 2, 2\r\n\r\n{}`, 400],
    [`${post}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`, 400],
    [`${post}transfer-encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n`, 400],
    [`${post}transfer-encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n`, 400],
    [`${post}transfer-encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n`, 400, 501],
    // Not wrong, but not spoken here; HTTP has no 4xx for it.
    [`${post}transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`, 501],
    ['GET /health/live HTTP/1.2\r\nhost: x\r\n\r\n', 400, 505],
    ['GET /health/live HTTP/3.0\r\nhost: x\r\n\r\n', 400, 505],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 505],
  ]
  await all(broken, async ([bytes, ...statuses]) => {
    const { reply, closed } = await converse(address, Buffer.from(bytes, 'latin1'), {
      untilClosed: true,
    })
    expect(statuses).toContain(reply?.status)
    expect([closed, reply?.headers['connection']]).toEqual([true, 'close'])
    expect(faultsOf(reply!)).toEqual([])
  })
})

test('a request that is not complete in ten seconds is 408', async () => {
  for (const { what, reply, closed } of await Promise.all(slow)) {
    expect([what, reply?.status, closed]).toEqual([what, 408, true])
    problemOf(reply!, 408, 'request-timeout')
  }
}, 20_000)

test('after all of it the shop takes an order, and its books are right', shop.expectBooksInOrder)

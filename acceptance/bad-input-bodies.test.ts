import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import {
  placesOf,
  pointerOf,
  withValueAt,
  type ListedOperation,
  type Schema,
} from './operations.ts'
import { faultsOf } from './faults.ts'
import { pointersOf, problemOf } from './problem.ts'
import { send, type Reply } from './raw-http.ts'
import { all, json, pairs, pathOf, startShopUnderTest, valueAt } from './shop-under-test.ts'

/*
 * Bad input of every kind that the conventions of the HTTP API name, against every operation that the shop's own documents list. Nothing of
 * it may be answered with a 5xx, and nothing may be lost by it: the last test looks at the books.
 */

const shop = await startShopUnderTest()
const { address, onPublic, onOperator, operations, withBody, named, skus, call, withSample } = shop
afterAll(shop.end)

test('the documents list operations of both addresses, and inputs can be made for them', async () => {
  expect(onPublic.length).toBeGreaterThan(10)
  expect(onOperator.length).toBeGreaterThan(5)
  expect(withBody.map(({ id }) => id)).toEqual(
    expect.arrayContaining(['orders.place', 'accounts.register', 'control.replay']),
  )
  await all(operations, async (operation) => {
    const reply = await call(
      operation,
      operation.body === undefined ? {} : { body: withSample(operation) },
    )
    // A sample fits the schema; what it names need not exist.
    if (reply.status >= 400) {
      expect(faultsOf(reply)).toEqual([])
      // A cursor and a service's name are known by their owners only.
      if (reply.status === 400)
        expect(pointersOf(reply).join()).toMatch(/^\/(cursor|service|publisher)$/)
    }
    expect(reply.status).toBeLessThan(500)
  })
})

describe('bodies', () => {
  const deep = (levels: number) => `{"deep":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
  const notObjects = {
    nothing: '',
    blanks: '  \n',
    null: 'null',
    list: '[]',
    text: '"text"',
    number: '1',
    true: 'true',
    'an open brace': '{',
    'something behind it': '{} {}',
    'a comma too many': '{"a":1,}',
    'single quotes': "{'a':1}",
    'no quotes': '{a:1}',
    comment: '{} // nothing',
    NaN: '{"a":NaN}',
    'leading zero': '{"a":01}',
    'raw line break in a text': '{"a":"\n"}',
    'raw NUL': '{"a":"\0"}',
    'a byte order mark': '\uFEFF{}',
    'UTF-16': Buffer.from('{}', 'utf16le'),
    'invalid UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    'overlong UTF-8': Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
    'a surrogate in UTF-8': Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
    'nested 65 deep': deep(65),
    'nested 100,000 deep': deep(100_000),
    'unclosed 100,000 times': '['.repeat(100_000),
  }

  test('what is not one JSON object of at most 64 levels is refused as a whole', () =>
    all(pairs(withBody, Object.entries(notObjects)), async ([operation, [, body]]) => {
      const reply = await call(operation, { body, headers: json })
      expect(pointersOf(reply)).toEqual([''])
      problemOf(reply, 400, 'invalid-input', pathOf(operation))
    }))

  test('64 levels are read', () =>
    all(withBody, async (operation) => {
      const pointers = pointersOf(await call(operation, { body: deep(64), headers: json }))
      expect(pointers).not.toContain('')
    }))

  test('a field that must be there and is not is named', () =>
    all(
      withBody.flatMap((operation) =>
        placesOf(operation.body!, withSample(operation))
          .filter(
            ({ path, required }) => required && path.length > 0 && typeof path.at(-1) === 'string',
          )
          .map((place) => [operation, place] as const),
      ),
      async ([operation, { path }]) => {
        const reply = await call(operation, {
          body: withValueAt(withSample(operation), path, undefined),
        })
        expect(pointersOf(reply)).toEqual([pointerOf(path)])
      },
    ))

  test('a field of another type is named', () => {
    const types: Readonly<Record<string, (value: unknown) => boolean>> = {
      object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
      array: Array.isArray,
      string: (value) => typeof value === 'string',
      integer: Number.isInteger,
      number: (value) => typeof value === 'number',
      boolean: (value) => typeof value === 'boolean',
    }
    const wrong = (schema: Schema) =>
      [
        ...[null, true, 0.5, 'text', [], [null], {}, { text: {} }],
        // What asks for their length fails.
        ...[{ length: { toString: 1 } }, { length: { valueOf: {}, toString: {} } }],
      ].filter((value) => !(types[schema.type ?? ''] ?? (() => true))(value))
    return all(
      withBody.flatMap((operation) =>
        placesOf(operation.body!, withSample(operation))
          .filter(({ path }) => path.length > 0)
          .flatMap((place) =>
            wrong(place.schema)
              .filter((value) => value !== null || !place.nullable)
              .map((value) => [operation, place, value] as const),
          ),
      ),
      async ([operation, { path }, value]) => {
        const pointers = pointersOf(
          await call(operation, { body: withValueAt(withSample(operation), path, value) }),
        )
        expect(pointers).not.toEqual([])
        for (const pointer of pointers) expect(pointer.startsWith(pointerOf(path))).toBe(true)
      },
    )
  })

  test('a field that is not known is named, wherever it is', () => {
    const names = ['surprise', '__proto__', 'constructor', 'toString', '', 'a/b~c', 'Sku']
    const objects = withBody.flatMap((operation) =>
      placesOf(operation.body!, withSample(operation))
        .filter(({ schema }) => schema.properties !== undefined)
        .map((place) => [operation, place.path] as const),
    )
    return all(pairs(objects, names), async ([[operation, path], name]) => {
      // As text: a `__proto__` in a literal would not become a field.
      const marked = JSON.stringify(
        withValueAt(withSample(operation), path, {
          ...(valueAt(withSample(operation), path) as object),
          MARK: 1,
        }),
      )
      const reply = await call(operation, {
        body: marked.replace('"MARK"', JSON.stringify(name)),
        headers: json,
      })
      expect(pointersOf(reply)).toEqual([pointerOf([...path, name])])
    })
  })

  test('numbers that are no whole numbers of the range are named', () => {
    const numbers = [
      '1.5',
      '-1',
      '1e400',
      '-1e400',
      '1e20',
      '9007199254740993',
      `1${'0'.repeat(400)}`,
      '5e-324',
      '"1"',
    ]
    const places = withBody.flatMap((operation) =>
      placesOf(operation.body!, withSample(operation))
        .filter(({ schema }) => schema.type === 'integer')
        .map((place) => [operation, place] as const),
    )
    expect(places.length).toBeGreaterThan(3)
    return all(pairs(places, numbers), async ([[operation, { path, schema }], number]) => {
      if (number === '-1' && (schema.minimum ?? 0) < 0) return
      const body = JSON.stringify(withValueAt(withSample(operation), path, 'NUMBER')).replace(
        '"NUMBER"',
        number,
      )
      expect(new Set(pointersOf(await call(operation, { body, headers: json })))).toEqual(
        new Set([pointerOf(path)]),
      )
    })
  })

  test('texts that no database holds are named; all others are taken as they are', async () => {
    const places = withBody.flatMap((operation) =>
      placesOf(operation.body!, withSample(operation))
        .filter(({ schema }) => schema.type === 'string')
        .map((place) => [operation, place.path] as const),
    )
    await all(
      pairs(places, ['\\u0000', 'a\\u0000b', '\\ud800', '\\udc00\\ud800']),
      async ([[operation, path], text]) => {
        const body = JSON.stringify(withValueAt(withSample(operation), path, 'TEXT')).replace(
          '"TEXT"',
          `"${text}"`,
        )
        expect(pointersOf(await call(operation, { body, headers: json }))).toContain(
          pointerOf(path),
        )
      },
    )
    const name = 'Ça va? 😀 \u202e\u2028 <script> \' " \\ %_ \t'
    const body = {
      sku: 'TEXTS',
      name,
      price: { amount: 1, currency: 'GBP' },
      category: name,
      description: name,
      attributes: { [name.slice(0, 50)]: name },
    }
    expect((await call(named('catalog.create'), { body })).status).toBe(201)
    expect((await send(address, { path: '/api/v1/products/TEXTS' })).json()).toEqual(body)
    expect(
      pointersOf(
        await call(named('catalog.create'), {
          body: `{"sku":"T2","name":"n","category":"c","price":{"amount":1,"currency":"GBP"},"attributes":{"a\\u0000":"b"}}`,
          headers: json,
        }),
      ),
    ).toEqual(['/attributes'])
  })

  test('of a name that comes twice the last one counts', async () => {
    const reply = await call(named('catalog.quote'), {
      body: `{"lines":[],"lines":[{"sku":"${skus[0]}","quantity":1,"quantity":2}]}`,
      headers: json,
    })
    expect(reply.json()).toMatchObject({ lines: [{ quantity: 2 }] })
  })

  test('other content types and codings are 415, before anything else is looked at', async () => {
    const types = [
      '',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'application/jsonp',
      'application',
      'application/json; charset=latin1',
      'application/json, text/plain',
      '*/*',
    ]
    await all(pairs(withBody, types), async ([operation, type]) =>
      problemOf(
        await call(operation, { body: '{}', headers: { 'content-type': type } }),
        415,
        'unsupported-media-type',
        pathOf(operation),
      ),
    )
    await all(
      pairs(withBody, ['gzip', 'br', 'deflate', 'zstd', 'identity, gzip', 'nonsense']),
      async ([operation, coding]) =>
        problemOf(
          await call(operation, {
            body: gzipSync('{}'),
            headers: { ...json, 'content-encoding': coding },
          }),
          415,
          'unsupported-media-type',
        ),
    )
    await all(
      pairs(withBody, [
        'application/json; charset=UTF-8',
        'Application/JSON;charset="utf-8"',
        'application/json ; x=y',
      ]),
      async ([operation, type]) =>
        expect(
          pointersOf(
            await call(operation, {
              body: '{"surprise":1}',
              headers: { 'content-type': type, 'content-encoding': 'identity' },
            }),
          ),
        ).not.toContain(''),
    )
  })

  test('an operation without a body takes none but an empty object', async () => {
    const bodiless = operations.filter(
      ({ method, body }) => body === undefined && method !== 'GET' && method !== 'DELETE',
    )
    expect(bodiless.map(({ id }) => id)).toContain('orders.cancel')
    await all(bodiless, async (operation) => {
      // What the path names is not there.
      const taken = operation.parameters.some((one) => one.in === 'path') ? [404] : [200, 204]
      expect(taken).toContain((await call(operation, { body: '{}', headers: json })).status)
      expect(taken).toContain(
        (await call(operation, { body: '', headers: { 'content-type': 'text/plain' } })).status,
      )
      expect(pointersOf(await call(operation, { body: { surprise: 1 } }))).toEqual(['/surprise'])
      expect(pointersOf(await call(operation, { body: '[]', headers: json }))).toEqual([''])
      problemOf(
        await call(operation, { body: 'x', headers: { 'content-type': 'text/plain' } }),
        415,
      )
    })
    const pathNames = operations.flatMap((operation) =>
      operation.method === 'GET' || operation.method === 'DELETE'
        ? []
        : operation.parameters
            .filter((one) => one.in === 'path')
            .map(({ name }) => [operation, name] as const),
    )
    await all(pathNames, async ([operation, name]) =>
      expect(
        pointersOf(
          await call(operation, {
            body: {
              ...(operation.body === undefined ? {} : (withSample(operation) as object)),
              [name]: 'x',
            },
          }),
        ),
      ).toEqual([`/${name}`]),
    )
  })
})

describe('made-up input', () => {
  const runs = 40
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      ...skus,
      'tok_ok',
      'tok_declined',
      'GBP',
      '__proto__',
      'constructor',
      '\u0000',
      '😀',
    ),
    fc.string({ minLength: 200, maxLength: 300 }),
  )
  const numbers = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.maxSafeInteger(),
    fc.constantFrom(0, -0, 1, -1, 0.5, 2 ** 53, 1e20, 100_000, 100_001),
  )
  const anything = fc.oneof(
    { depthSize: 'small' },
    texts,
    numbers,
    fc.boolean(),
    fc.constant(null),
    fc.jsonValue(),
    fc.constant([]),
    fc.constant({}),
  )

  /** A fitting body with one to three places replaced, or anything at all. */
  const bodyOf = (operation: ListedOperation) => {
    const sample = withSample(operation)
    const places = placesOf(operation.body!, sample)
      .map(({ path }) => path)
      .filter((path) => path.length > 0)
    const change = fc.tuple(fc.constantFrom(...places), anything)
    return fc.oneof(
      {
        weight: 4,
        arbitrary: fc
          .array(change, { minLength: 1, maxLength: 3 })
          .map((changes) =>
            changes.reduce((body: unknown, [path, value]) => replaced(body, path, value), sample),
          ),
      },
      { weight: 1, arbitrary: anything },
    )
  }
  // An earlier change may have taken the place away.
  const replaced = (body: unknown, path: readonly (string | number)[], value: unknown): unknown => {
    try {
      return withValueAt(body, path, value)
    } catch {
      return body
    }
  }
  const harmless = (reply: Reply) => {
    if (reply.status >= 500) throw new Error(`${reply.status} ${reply.text}`)
    if (reply.status >= 400) expect(faultsOf(reply)).toEqual([])
  }

  test('in bodies is never a fault of ours', async () => {
    await all(withBody, (operation) =>
      fc.assert(
        fc.asyncProperty(bodyOf(operation), fc.boolean(), async (body, raw) => {
          const text = JSON.stringify(body)
          // Cut somewhere, it is no JSON any more.
          harmless(await call(operation, { body: raw ? text.slice(0, -1) : text, headers: json }))
        }),
        { numRuns: runs },
      ),
    )
  })

  test('in addresses and headers is never a fault of ours', async () => {
    const target = fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
      maxLength: 60,
    })
    const header = fc.string({
      unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
      maxLength: 60,
    })
    await all(operations, (operation) =>
      fc.assert(
        fc.asyncProperty(
          texts,
          target,
          header,
          fc.constantFrom(
            'accept',
            'authorization',
            'idempotency-key',
            'if-none-match',
            'content-type',
            'x-request-id',
            'cookie',
            'origin',
          ),
          async (text, raw, value, name) => {
            const [path = ''] = pathOf(operation).split('?')
            const encodable = encodeURIComponent(text.toWellFormed())
            const first = operation.parameters.find((one) => one.in === 'path')?.name
            const filled =
              first === undefined ? path : operation.template.replace(`{${first}}`, encodable)
            for (const one of [
              filled,
              `${path}?${raw}`,
              `${path}?${operation.parameters[0]?.name ?? 'x'}=${encodable}`,
              `${path}/${raw}`,
            ])
              harmless(await call(operation, { path: one, headers: { [name]: value.trim() } }))
          },
        ),
        { numRuns: 10 },
      ),
    )
  })
})

test('after all of it the shop takes an order, and its books are right', shop.expectBooksInOrder)

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { routesOf } from './router.ts'
import { edgeUnderTest, sample, type Asked } from './sample.suite.ts'

const { ask } = edgeUnderTest()
const routes = routesOf([sample], (operation) => operation.access !== 'internal')

const path = (pattern: string, fill: readonly string[]) => {
  let nth = 0
  return pattern.replaceAll(/:\w+/g, () => fill[nth++ % fill.length] ?? 'a')
}
const segment = fc.oneof(
  fc.constantFrom(
    'a',
    '1',
    '%2F',
    '%',
    '%00',
    '%ff',
    '__proto__',
    'constructor',
    '..',
    ' ',
    ';',
    '%u0041',
  ),
  fc
    .string({ unit: 'binary' })
    .map((text) => (text.isWellFormed() ? encodeURIComponent(text) : '%')),
)
const route = fc.constantFrom(...routes)
const headers = fc.record(
  {
    authorization: fc.oneof(fc.constantFrom('Bearer customer', 'Bearer merchant'), fc.string()),
    'idempotency-key': fc.oneof(fc.constant('k'), fc.string({ unit: 'binary' })),
    'x-request-id': fc.string(),
    accept: fc.oneof(fc.constant('*/*'), fc.string()),
    'if-none-match': fc.string(),
    'content-type': fc.oneof(fc.constant('application/json'), fc.string()),
  },
  { requiredKeys: [] },
)

const survives = async (asked: Asked) => {
  const reply = await ask(asked)
  expect(reply.status).toBeLessThan(500)
  expect(reply.headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]{1,64}$/)
  for (const value of Object.values(reply.headers))
    expect(value).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/)
  if (reply.status >= 400)
    expect(reply.json).toMatchObject({
      type: expect.any(String),
      title: expect.any(String),
      status: reply.status,
      code: expect.any(String),
      correlationId: reply.headers['x-request-id'],
    })
}

test('random bytes against every operation are never a 5xx', async () => {
  await fc.assert(
    fc.asyncProperty(
      route,
      fc.array(segment, { minLength: 2 }),
      headers,
      fc.uint8Array({ maxLength: 200 }),
      ({ http }, fill, sent, body) =>
        survives({ method: http.method, target: path(http.path, fill), headers: sent, body }),
    ),
    { numRuns: 400 },
  )
})

/** JSON that often has the right fields, with wrong values, or wrong ones beside them. */
const fields = [...new Set(routes.flatMap(({ fields: names }) => [...names]))]
const body = fc.oneof(
  fc.dictionary(
    fc.oneof(fc.constantFrom(...fields, '__proto__', 'constructor'), fc.string()),
    fc.oneof(fc.jsonValue(), fc.constantFrom('A', 1, true, [], [{ id: 'x' }])),
    { noNullPrototype: true },
  ),
  fc.jsonValue(),
)

test('random JSON against every operation is never a 5xx', async () => {
  await fc.assert(
    fc.asyncProperty(route, fc.array(segment, { minLength: 2 }), body, ({ http }, fill, sent) =>
      survives({
        method: http.method,
        target: path(http.path, fill),
        headers: { authorization: 'Bearer merchant', 'idempotency-key': 'k' },
        body: JSON.stringify(sent),
      }),
    ),
    { numRuns: 400 },
  )
})

test('random targets are never a 5xx', async () => {
  const query = fc.oneof(
    fc.webQueryParameters(),
    fc.string({ unit: 'binary-ascii' }),
    fc.constantFrom('limit=5', 'q=%', '%=%', '=', '&=&', 'cursor=\u00ff'),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'x'),
      route,
      fc.array(segment, { minLength: 2 }),
      query,
      fc.string({ unit: 'binary-ascii' }),
      fc.boolean(),
      (method, { http }, fill, asked, raw, mad) =>
        survives({ method, target: mad ? raw : `${path(http.path, fill)}?${asked}` }),
    ),
    { numRuns: 400 },
  )
})

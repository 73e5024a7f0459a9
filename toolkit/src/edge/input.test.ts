import { expect, test } from 'vitest'
import { edgeUnderTest, errorsOf, pointersOf, type Asked } from './sample.suite.ts'

const { ask, calls } = edgeUnderTest()
const search = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
  ask({ method: 'POST', target: '/search', body, headers })
const thing = { sku: 'A', name: 'a', size: 1, tags: [] }
const create = (body: unknown, asked: Partial<Asked> = {}) =>
  ask({
    method: 'POST',
    target: '/things',
    body: JSON.stringify(body),
    headers: { authorization: 'Bearer customer', 'idempotency-key': 'k' },
    ...asked,
  })

test('a body is JSON in UTF-8 by its Content-Type, or 415', async () => {
  for (const good of [
    'application/json',
    'APPLICATION/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/merge-patch+json',
  ])
    expect(`${good} ${(await search('{}', { 'content-type': good })).status}`).toBe(`${good} 200`)
  for (const bad of [
    '(none)',
    '',
    'text/plain',
    'application/jsonp',
    'application/x-www-form-urlencoded',
    'application/json; charset=latin1',
    'application/json, text/plain',
    'json',
  ])
    expect(`${bad} ${(await search('{}', { 'content-type': bad })).status}`).toBe(`${bad} 415`)
  expect((await search('{}', { 'content-encoding': 'gzip' })).status).toBe(415)
  expect((await search('{}', { 'content-encoding': 'Identity' })).status).toBe(200)
})

test('a body that is no JSON object is 400', async () => {
  const bad: (string | Uint8Array)[] = [
    ...[
      '',
      ' ',
      '[]',
      '[{}]',
      '"x"',
      '1',
      'null',
      'true',
      '{',
      '{"words":}',
      "{'words':[]}",
      '{}{}',
      '{"words":[],}',
      'NaN',
      '{"words":[01]}',
    ],
    ...['\ufeff{}', '{"words":["\u0000"]}', '{"words":["a\nb"]}'],
    ...[
      Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d),
      Uint8Array.of(0xc0, 0x80),
      Uint8Array.of(0xff, 0xfe, 0x7b, 0, 0x7d, 0),
      Uint8Array.of(0),
    ],
  ]
  for (const body of bad) {
    const reply = await search(body)
    expect(`${JSON.stringify(body)} ${reply.status}`).toBe(`${JSON.stringify(body)} 400`)
    expect(reply.json).toMatchObject({
      code: 'invalid-input',
      errors: [{ pointer: '', message: expect.any(String) }],
    })
  }
})

test('JSON is at most 64 levels deep; brackets inside texts are no levels', async () => {
  const nested = (levels: number) =>
    `{"where":{"a":${'['.repeat(levels - 2)}${']'.repeat(levels - 2)}}}`
  expect((await search(nested(64))).status).toBe(200)
  expect(errorsOf(await search(nested(65)))?.[0]?.message).toContain('64')
  expect((await search(nested(400_000))).status).toBe(400)
  expect((await search('['.repeat(1_000_000))).status).toBe(400)
  expect((await search(`${']'.repeat(100)}${'['.repeat(200_000)}`)).status).toBe(400)
  const text = `${'['.repeat(100)}\\"${'{'.repeat(100)}\\\\`
  expect((await search(`{"words":["${text}"]}`)).status).toBe(200)
  expect((await search(`{"where":{"${'['.repeat(100)}":1}}`)).status).toBe(200)
})

test('each error of a body has its pointer', async () => {
  const reply = await create({
    sku: ' a',
    name: 1,
    size: -1,
    tags: [{ id: 'a' }, { weight: 'x', 'b/c~d': 1 }],
  })
  expect(reply.status).toBe(400)
  expect(pointersOf(reply)).toEqual(['/sku', '/name', '/size', '/tags/1/id', '/tags/1/weight'])
  expect(
    pointersOf(await create({ ...thing, tags: [{ id: 'a', 'b/c~d': 1 }], admin: true })),
  ).toEqual(['/tags/0/b~1c~0d', '/admin'])
  expect(pointersOf(await create({}))).toEqual(['/sku', '/name', '/size', '/tags'])
})

test('unknown fields are refused, also those that are named as parts of Object.prototype', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
    for (const value of ['{"admin":true}', 'null', '1']) {
      const reply = await ask({
        method: 'POST',
        target: '/things',
        headers: { authorization: 'Bearer customer', 'idempotency-key': 'k' },
        body: `{"sku":"A","name":"a","size":1,"tags":[],"${name}":${value}}`,
      })
      expect([reply.status, pointersOf(reply)]).toEqual([400, [`/${name}`]])
      const query = await ask({ target: `/things?${name}=1` })
      expect([query.status, pointersOf(query)]).toEqual([400, [`/${name}`]])
    }
  expect('admin' in {}).toBe(false)
})

test('texts that no store takes are 400', async () => {
  for (const text of ['\\u0000', '\\ud800', '\\udc00x'])
    expect(pointersOf(await search(`{"words":["${text}"]}`))).toEqual(['/words/0'])
  expect((await search('{"words":["\\ud83d\\ude00"]}')).json).toEqual({ got: { words: ['😀'] } })
  expect((await ask({ target: '/things?q=%00' })).status).toBe(400)
})

test('numbers beyond what a number holds are 400', async () => {
  for (const size of ['1e400', '-1', '1.5', '9007199254740993', '"1"', 'null']) {
    const body = `{"sku":"A","name":"a","size":${size},"tags":[]}`
    const reply = await ask({
      method: 'POST',
      target: '/things',
      body,
      headers: { authorization: 'Bearer customer', 'idempotency-key': 'k' },
    })
    expect([size, reply.status, pointersOf(reply)]).toEqual([size, 400, ['/size']])
  }
})

test('query parameters are read by the types of their fields', async () => {
  const got = async (query: string) =>
    ((await ask({ target: `/things?${query}` })).json as { items: unknown[] }).items[0]
  expect(await got('')).toEqual({ limit: 20 })
  expect(await got('q=12&limit=5&exact=true&ratio=-1.5')).toEqual({
    q: '12',
    limit: 5,
    exact: true,
    ratio: -1.5,
  })
  expect(await got('ratio=1e-7&exact=false')).toEqual({ limit: 20, ratio: 1e-7, exact: false })
  expect(await got('q=a+b%20c%2B')).toEqual({ limit: 20, q: 'a b c+' })
  expect(await got('q=')).toEqual({ limit: 20, q: '' })
  expect(await got('q=a?b=c')).toEqual({ limit: 20, q: 'a?b=c' })
  for (const bad of [
    'limit=',
    'limit=5x',
    'limit=+5',
    'limit=0x10',
    'limit= 5',
    'limit=NaN',
    'limit=1e400',
    'limit=0',
    'limit=101',
    'limit=1.5',
    'exact=1',
    'exact=',
    'exact=TRUE',
    'ratio=Infinity',
  ])
    expect([bad, pointersOf(await ask({ target: `/things?${bad}` }))]).toEqual([
      bad,
      [`/${bad.split('=')[0]}`],
    ])
})

test('a parameter that is given twice, or is not known, is 400', async () => {
  expect(pointersOf(await ask({ target: '/things?q=a&q=a' }))).toEqual(['/q'])
  expect(pointersOf(await ask({ target: '/things?limit=5&limit=6' }))).toEqual(['/limit'])
  expect(pointersOf(await ask({ target: '/things?x%2Fy~=1' }))).toEqual(['/x~1y~0'])
  expect(pointersOf(await ask({ target: '/things?a~=1&a~=2' }))).toEqual(['/a~0'])
  expect(pointersOf(await ask({ target: '/things?=1' }))).toEqual(['/'])
  expect((await ask({ target: '/things?&&' })).status).toBe(200)
  expect((await ask({ target: '/things?%' })).status).toBe(400)
})

test('what has a body takes no query parameters', async () => {
  expect(pointersOf(await ask({ method: 'POST', target: '/search?limit=1', body: '{}' }))).toEqual([
    '/limit',
  ])
  expect(pointersOf(await ask({ method: 'POST', target: '/search?a~b=1', body: '{}' }))).toEqual([
    '/a~0b',
  ])
  expect((await ask({ method: 'POST', target: '/search?', body: '{}' })).status).toBe(200)
})

test('a field of the path may not come a second time', async () => {
  expect(pointersOf(await ask({ target: '/things/a?sku=b' }))).toEqual(['/sku'])
  expect(
    pointersOf(
      await ask({
        method: 'PATCH',
        target: '/things/a',
        body: '{"sku":"b"}',
        headers: { authorization: 'Bearer merchant' },
      }),
    ),
  ).toEqual(['/sku'])
})

test('fields of the path are read by their types too', async () => {
  const put = (target: string) => ask({ method: 'PUT', target, body: '{"open":true}' })
  expect((await put('/things/12/pages/3')).json).toEqual({
    got: { sku: '12', page: 3, open: true },
  })
  for (const page of ['0', 'x', '1.5', '1e400', '%203'])
    expect([page, pointersOf(await put(`/things/12/pages/${page}`))]).toEqual([page, ['/page']])
})

test('an operation without fields in its body takes none, or an empty object', async () => {
  const cancel = (body: string, headers: Record<string, string> = {}) =>
    ask({ method: 'POST', target: '/things/a/cancel', body, headers })
  expect((await cancel('')).status).toBe(202)
  expect((await cancel('', { 'content-type': 'text/plain' })).status).toBe(202)
  expect((await cancel('{}')).status).toBe(202)
  expect(pointersOf(await cancel('{"force":true}'))).toEqual(['/force'])
  expect((await cancel('force', { 'content-type': 'text/plain' })).status).toBe(415)
})

test('of what was refused nothing reached the service', () => {
  for (const call of calls) expect(JSON.stringify(call.input)).not.toMatch(/admin|force|__proto__/)
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { ServalError } from '../base/failure.ts'
import {
  command,
  contract,
  del,
  event,
  feed,
  fillPath,
  fillTag,
  get,
  patch,
  pathParameters,
  problem,
  put,
  query,
} from './index.ts'

const nothing = {
  summary: 'x',
  access: 'public',
  input: z.object({}),
  output: z.object({}),
} as const
const Gone = problem('gone', {
  kind: 'not-found',
  title: 'It is gone',
  data: z.object({ id: z.string() }),
})

test('a contract is frozen, and its events know who publishes them', () => {
  const made = contract('orders', {
    operations: { read: query({ ...nothing, http: get('/orders') }) },
    events: {
      placed: event('order.placed', { version: 2, key: 'id', data: z.object({ id: z.string() }) }),
    },
  })
  expect(made.events.placed).toMatchObject({ source: 'orders', type: 'order.placed.v2', key: 'id' })
  for (const part of [
    made,
    made.operations,
    made.operations.read,
    made.operations.read.problems,
    made.events,
    made.events.placed,
  ])
    expect(Object.isFrozen(part)).toBe(true)
})

for (const name of [
  '',
  'Orders',
  '1orders',
  'orders_2',
  'a b',
  '-a',
  '__proto__',
  'a'.repeat(64),
  'ordérs',
])
  test(`a contract cannot be called ${JSON.stringify(name.slice(0, 12))}`, () => {
    expect(() => contract(name, { operations: {} })).toThrow(
      expect.objectContaining({
        code: 'misconfigured',
        message: expect.stringContaining(JSON.stringify(name)),
      }),
    )
  })

const write = { ...nothing, repeat: 'never' } as const
const misfits = {
  'a query by PUT': query({ ...nothing, http: put('/x') }),
  'a query by DELETE': query({ ...nothing, http: del('/x') }),
  'a query by PATCH': query({ ...nothing, http: patch('/x') }),
  'a feed by PUT': feed({ ...nothing, http: put('/x') }),
  'a command by GET': command({ ...write, http: get('/x') }),
}
for (const [what, operation] of Object.entries(misfits))
  test(`${what} fails at start, and is named`, () => {
    expect(() => contract('orders', { operations: { odd: operation } })).toThrow(/^orders\.odd is /)
  })

test('a deadline that is no duration fails at start', () => {
  expect(() => query({ ...nothing, deadline: '5 minutes' as '5m' })).toThrow(
    /^deadline must be a duration/,
  )
  expect(query({ ...nothing, deadline: '1m' }).deadlineMs).toBe(60_000)
  expect(query(nothing).deadlineMs).toBe(5_000)
})

test('a problem is made with its data, and is told by its code', () => {
  const error = Gone({ id: 'a' })
  expect(error).toBeInstanceOf(ServalError)
  expect(error).toMatchObject({
    code: 'gone',
    kind: 'not-found',
    title: 'It is gone',
    message: 'It is gone',
    data: { id: 'a' },
    ran: 'ran',
    retryable: false,
  })
  expect(Gone({ id: 'a' }, 'It went at noon').message).toBe('It went at noon')
  expect(
    problem('busy', { kind: 'unavailable', title: 'Busy', retryable: true })(undefined),
  ).toMatchObject({ retryable: true, data: undefined })
  expect(Object.isFrozen(Gone)).toBe(true)
})

test('a path is filled segment by segment, percent-encoded', () => {
  const fill = (sku: unknown) => fillPath('/products/:sku/stock', { sku })
  expect(fill('A/B C%2F')).toBe('/products/A%2FB%20C%252F/stock')
  expect(fill('?#&=+:@$;,')).toBe('/products/%3F%23%26%3D%2B%3A%40%24%3B%2C/stock')
  expect(fill('$&$1')).toBe('/products/%24%26%241/stock')
  expect(fill('ü')).toBe('/products/%C3%BC/stock')
  expect(fill(':sku')).toBe('/products/%3Asku/stock')
  expect(fill(12)).toBe('/products/12/stock')
})

test('a colon inside a segment is a letter as any other, and hyphens belong to a parameter’s name', () => {
  expect(pathParameters('/a:b/:user-id')).toEqual(['user-id'])
  expect(fillPath('/a:b/:user-id', { b: 'x', user: 'x', 'user-id': 'u' })).toBe('/a:b/u')
})

test('what a path is filled with comes out again', () => {
  const text = fc.string({ unit: 'binary' }).filter((one) => one.isWellFormed())
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [, first = '', second = ''] = fillPath('/:a/:b', { a, b }).split('/')
      expect([decodeURIComponent(first), decodeURIComponent(second)]).toEqual([a, b])
    }),
  )
})

const id = z.object({ id: z.string() })
const cached = (tags: readonly string[], access: 'public' | 'user' = 'public') =>
  query({ ...nothing, access, input: id, http: get('/a/:id'), cache: { ttl: '1m', tags } })

test.each([
  ['a cached query that depends on its caller', () => cached([], 'user'), /cache is for public/],
  [
    'a tag of a field that is not in the input',
    () => contract('a', { operations: { read: cached(['a::sku']) } }),
    /a\.read is cached by :sku/,
  ],
  [
    'a purge of a field that is not in the data',
    () =>
      contract('a', {
        operations: {},
        events: { moved: event('moved', { version: 1, key: 'id', data: id, purges: ['a::sku'] }) },
      }),
    /a\.moved purges by :sku/,
  ],
  [
    'a limit of no requests',
    () => query({ ...nothing, limit: { requests: 0, per: '1m', by: 'address' } }),
    /limit\.requests is a whole number/,
  ],
  [
    'If-Match on a read',
    () =>
      contract('a', {
        operations: { read: query({ ...nothing, http: get('/a', { ifMatch: true }) }) },
      }),
    /If-Match is for changes/,
  ],
])('%s fails at start', (_, make, words) => {
  expect(make).toThrow(words)
})

test('a tag is filled with the fields that it names', () => {
  expect(fillTag('catalog', 'product::sku', { sku: 'A 1' })).toBe('catalog/product:A 1')
  expect(fillTag('catalog', 'products', {})).toBe('catalog/products')
  contract('a', { operations: { read: cached(['a::id', 'all']) } })
})

import { expect, test } from 'vitest'
import fc from 'fast-check'
import { z } from 'zod'
import { command, contract, del, get, post, put, query } from '../contract/index.ts'
import { router, routesOf } from './router.ts'
import { sample } from './sample.suite.ts'

const asked = { summary: 'x', access: 'public', output: z.object({}) } as const
const Id = z.object({ id: z.string() })
const routes = (operations: Parameters<typeof contract>[1]['operations']) => () =>
  router(routesOf([contract('odd', { operations })], () => true))

test('a path’s parameter that is no field of the input fails at start', () => {
  expect(routes({ read: query({ ...asked, http: get('/x/:sku'), input: Id }) })).toThrow(
    expect.objectContaining({
      code: 'misconfigured',
      message: "odd.read: the path's :sku is not a field of the input",
    }),
  )
})

test('a field that a URL cannot carry fails at start, and in a body it does not', () => {
  const input = Id.extend({ tags: z.array(z.string()).optional() })
  for (const operation of [
    query({ ...asked, http: get('/x/:id'), input }),
    command({ ...asked, repeat: 'never', http: del('/x/:id'), input }),
  ])
    expect(routes({ odd: operation })).toThrow(
      /^odd\.odd: the field tags is an array; (GET|DELETE) has no body/,
    )
  expect(
    routes({ odd: command({ ...asked, repeat: 'never', http: put('/x/:id'), input }) }),
  ).not.toThrow()
})

test('two operations at one address fail at start, also across contracts', () => {
  const one = query({ ...asked, http: get('/x/:id'), input: Id })
  const other = query({ ...asked, http: get('/x/:sku'), input: z.object({ sku: z.string() }) })
  expect(routes({ one, other })).toThrow('odd.one and odd.other are both bound to GET /x/:sku')
  expect(() =>
    router(
      routesOf(
        [contract('a', { operations: { one } }), contract('b', { operations: { other } })],
        () => true,
      ),
    ),
  ).toThrow('a.one and b.other')
  expect(
    routes({ one, made: command({ ...asked, repeat: 'never', http: post('/x/:id'), input: Id }) }),
  ).not.toThrow()
})

test('any method and path gives a route, the methods there are, or nothing', () => {
  const find = router(routesOf([sample], () => true))
  const segment = fc.oneof(
    fc.constantFrom('things', 'pages', 'cancel', 'special', '', '..', '%', '__proto__'),
    fc.webSegment(),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(
      fc.oneof(fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE'), fc.string()),
      fc.array(segment, { maxLength: 6 }),
      (method, segments) => {
        const match = find(method, `/${segments.join('/')}`)
        if (match === undefined) return
        if ('allow' in match) expect(match.allow).not.toContain(method)
        else {
          expect(match.route.http.method).toBe(method === 'HEAD' ? 'GET' : method)
          for (const value of Object.values(match.parameters)) expect(value).not.toBe('')
        }
      },
    ),
    { numRuns: 500 },
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { FailureKind } from '../base/failure.ts'
import { authorize } from '../service/access.ts'
import { del, post } from './binding.ts'
import { incompatibilities, type Incompatibility } from './compatibility.ts'
import { contract, type Contract } from './contract.ts'
import { event } from './event.ts'
import { command, query, type Access } from './operation.ts'
import { problem, type ProblemOptions } from './problem.ts'
import { contractsSnapshot, readSnapshot } from './snapshot.ts'

const order = z.object({ sku: z.string().max(64), quantity: z.int().min(1).max(9) })
const placed = z.object({ orderId: z.string(), lines: z.array(order) })

const soldOut = (kind: ProblemOptions<z.ZodType>['kind'] = 'conflict', data: z.ZodType = order) =>
  problem('sold-out', { kind, title: 'It is sold out', data })

interface Parts {
  readonly place?: Partial<Parameters<typeof command>[0]>
  readonly events?: Parameters<typeof contract>[1]['events']
  readonly data?: z.ZodType<Record<string, unknown>>
  readonly purges?: readonly string[]
  readonly key?: string
}

/** A shop's contract, or the same with something changed. */
const shop = ({ place, events, data = placed, purges = ['orders'], key = 'orderId' }: Parts = {}) =>
  contract('orders', {
    operations: {
      place: command({
        summary: 'Places an order',
        access: 'user',
        repeat: 'key',
        http: post('/orders/:shop', { status: 201, location: '/orders/:id', etag: true, ifMatch: true }), // prettier-ignore
        input: z.object({
          shop: z.string(),
          lines: z.array(order).min(1).max(20),
          note: z.string().optional(),
          express: z.boolean().default(false),
        }),
        output: z.object({ id: z.string(), state: z.enum(['placed', 'paid']), note: z.string().optional() }), // prettier-ignore
        problems: [soldOut()],
        ...place,
      }),
    },
    events: events ?? {
      placed: event('order.placed', { version: 1, key, data, purges }),
    },
  })

const released = contractsSnapshot([shop()])
const broken = (...now: Contract[]): readonly Incompatibility[] =>
  incompatibilities(released, contractsSnapshot(now))
const input = (
  change: (input: ReturnType<typeof shop>['operations']['place']['input']) => z.ZodType,
) =>
  // prettier-ignore
  broken(shop({ place: { input: change(shop().operations.place.input) } }))

const base = {
  shop: z.string(),
  lines: z.array(order).min(1).max(20),
  note: z.string().optional(),
  express: z.boolean().default(false),
}
const output = { id: z.string(), state: z.enum(['placed', 'paid']), note: z.string().optional() }
const withInput = (fields: object) =>
  broken(shop({ place: { input: z.object({ ...base, ...fields }) } }))
const withOutput = (fields: object) =>
  broken(shop({ place: { output: z.object({ ...output, ...fields }) } }))
const without = (fields: object, name: string) =>
  z.object(Object.fromEntries(Object.entries(fields).filter(([field]) => field !== name)))

test('nothing changed is nothing found, also from a file', () => {
  expect(broken(shop())).toEqual([])
  const text = JSON.stringify(released)
  expect(readSnapshot(text, 'contracts.json')).toEqual(released)
  expect(() => readSnapshot('{}', 'contracts.json')).toThrow(/^contracts\.json is not a snapshot/)
})

test('what is added breaks nobody', () => {
  const more = contract('more', { operations: {} })
  const rule = soldOut()
  const other = problem('closed', { kind: 'unprocessable', title: 'We are closed' })
  const added = contract('orders', {
    operations: {
      ...shop().operations,
      find: query({ summary: 'Finds', access: 'public', input: z.object({}), output: order }),
    },
    events: {
      placed: event('order.placed', { version: 1, key: 'orderId', data: placed, purges: ['orders', 'all'] }), // prettier-ignore
      paid: event('order.paid', { version: 1, key: 'orderId', data: placed }),
    },
  })
  expect(broken(added, more)).toEqual([])
  expect(broken(shop({ place: { problems: [rule, other] } }))).toEqual([])
  expect(withInput({ gift: z.boolean().optional(), lines: z.array(order) })).toEqual([])
  expect(withOutput({ total: z.int(), state: z.enum(['placed']), note: z.string() })).toEqual([])
  expect(broken(shop({ data: placed.extend({ total: z.int().optional() }) }))).toEqual([])
})

const cases: readonly [rule: string, path: string, found: () => readonly Incompatibility[]][] = [
  ['contract-removed', 'orders', () => broken()],
  ['operation-removed', 'orders.place', () => broken(contract('orders', { operations: {}, events: { placed: event('order.placed', { version: 1, key: 'orderId', data: placed, purges: ['orders'] }) } }))], // prettier-ignore
  ['access-tightened', 'orders.place/access', () => broken(shop({ place: { access: 'role:vip' } }))], // prettier-ignore
  ['repeat-changed', 'orders.place/repeat', () => broken(shop({ place: { repeat: 'never' } }))],
  ['repeat-changed', 'orders.place/repeat', () => broken(shop({ place: { repeat: 'natural' } }))],
  ['input-field-required', 'orders.place/input/gift', () => withInput({ gift: z.string() })],
  ['input-field-required', 'orders.place/input/note', () => withInput({ note: z.string() })],
  ['input-field-required', 'orders.place/input/lines/*/tax', () => withInput({ lines: z.array(order.extend({ tax: z.int() })).min(1).max(20) })], // prettier-ignore
  ['input-field-removed', 'orders.place/input/note', () => input(() => without(base, 'note'))],
  ['input-type', 'orders.place/input/note', () => withInput({ note: z.int().optional() })],
  ['input-values', 'orders.place/input/express', () => withInput({ express: z.literal(false).default(false) })], // prettier-ignore
  ['input-range', 'orders.place/input/lines/*/quantity', () => withInput({ lines: z.array(order.extend({ quantity: z.int().min(1).max(8) })).min(1).max(20) })], // prettier-ignore
  ['input-length', 'orders.place/input/lines', () => withInput({ lines: z.array(order).min(1).max(19) })], // prettier-ignore
  ['input-pattern', 'orders.place/input/note', () => withInput({ note: z.string().regex(/^a/).optional() })], // prettier-ignore
  ['input-default', 'orders.place/input/express', () => withInput({ express: z.boolean().default(true) })], // prettier-ignore
  ['output-field-removed', 'orders.place/output/id', () => broken(shop({ place: { output: without(output, 'id') } }))], // prettier-ignore
  ['output-field-removed', 'orders.place/output/note', () => broken(shop({ place: { output: without(output, 'note') } }))], // prettier-ignore
  ['output-field-optional', 'orders.place/output/id', () => withOutput({ id: z.string().optional() })], // prettier-ignore
  ['output-type', 'orders.place/output/id', () => withOutput({ id: z.string().nullable() })],
  ['output-values', 'orders.place/output/state', () => withOutput({ state: z.enum(['placed', 'paid', 'lost']) })], // prettier-ignore
  ['problem-removed', 'orders.place/problems/sold-out', () => broken(shop({ place: { problems: [] } }))], // prettier-ignore
  ['problem-kind-changed', 'orders.place/problems/sold-out', () => broken(shop({ place: { problems: [soldOut('not-found')] } }))], // prettier-ignore
  ['problem-data-changed', 'orders.place/problems/sold-out/sku', () => broken(shop({ place: { problems: [soldOut('conflict', order.partial({ sku: true }))] } }))], // prettier-ignore
  ['event-removed', 'orders.events/order.placed.v1', () => broken(shop({ events: {} }))],
  ['event-removed', 'orders.events/order.placed.v1', () => broken(shop({ events: { placed: event('order.placed', { version: 2, key: 'orderId', data: placed }) } }))], // prettier-ignore
  ['event-key-changed', 'orders.events/order.placed.v1/key', () => broken(shop({ key: 'lines' }))],
  ['event-purge-removed', 'orders.events/order.placed.v1/purges/orders', () => broken(shop({ purges: ['others'] }))], // prettier-ignore
  ['event-data-changed', 'orders.events/order.placed.v1/data/total', () => broken(shop({ data: placed.extend({ total: z.int() }) }))], // prettier-ignore
  ['event-data-changed', 'orders.events/order.placed.v1/data/orderId', () => broken(shop({ data: placed.extend({ orderId: z.string().max(9) }) }))], // prettier-ignore
  ['event-data-changed', 'orders.events/order.placed.v1/data/lines', () => broken(shop({ data: placed.omit({ lines: true }) }))], // prettier-ignore
]

test.each(cases)('%s: %s', (rule, path, found) => {
  expect(found()).toMatchObject([{ rule, path }])
})

test('kind-changed: a query that becomes a command', () => {
  const read = (kind: typeof query) =>
    contractsSnapshot([
      contract('orders', {
        operations: { find: kind({ summary: 'Finds', access: 'user', input: order, output: order }) }, // prettier-ignore
      }),
    ])
  const write = (options: Parameters<typeof query>[0]) => command({ ...options, repeat: 'natural' })
  const found = incompatibilities(read(query), read(write as unknown as typeof query))
  expect(found).toEqual([
    { path: 'orders.find/kind', rule: 'kind-changed', was: 'query', is: 'command' },
  ])
})

test('http-changed: each part of the binding by itself', () => {
  const usual = { status: 201, location: '/orders/:id', etag: true, ifMatch: true }
  const bound = (http: ReturnType<typeof post>) =>
    broken(shop({ place: { http } })).map(({ path, rule }) => {
      expect(rule).toBe('http-changed')
      return path
    })
  expect(bound(post('/orders/:shop', usual))).toEqual([])
  expect(bound(del('/orders/:shop', usual))).toEqual(['orders.place/http/method'])
  expect(bound(post('/orders', usual))).toEqual(['orders.place/http/path'])
  expect(bound(post('/orders/:shop', { ...usual, status: 200 }))).toEqual(['orders.place/http/status']) // prettier-ignore
  expect(bound(post('/orders/:shop', { ...usual, location: '/x/:id' }))).toEqual(['orders.place/http/location']) // prettier-ignore
  expect(bound(post('/orders/:shop', { ...usual, etag: false }))).toEqual(['orders.place/http/etag']) // prettier-ignore
  expect(bound(post('/orders/:shop', { ...usual, ifMatch: false }))).toEqual(['orders.place/http/ifMatch']) // prettier-ignore
  const unbound = structuredClone(released)
  delete unbound.contracts['orders']?.operations['place']?.http
  expect(incompatibilities(released, unbound)).toMatchObject([{ path: 'orders.place/http' }])
  expect(incompatibilities(unbound, released)).toEqual([])
})

test('access is tightened exactly when somebody who passed is refused', () => {
  const accesses: readonly Access[] = ['public', 'user', 'role:vip', 'role:boss', 'operator', 'internal'] // prettier-ignore
  const user = (...roles: string[]) => ({ kind: 'user', id: 'u', session: 's', roles }) as const
  const callers = [
    { kind: 'anonymous' },
    { kind: 'operator' },
    { kind: 'service', name: 'x' },
    ...[user(), user('vip'), user('boss')],
  ] as const
  const passes = (access: Access, caller: (typeof callers)[number]) => {
    // The operator's operations are served on the operator's address, where no others are.
    if ((caller.kind === 'operator') !== (access === 'operator')) return false
    try {
      authorize(access, caller)
      return true
    } catch {
      return false
    }
  }
  const snapshot = (access: Access) =>
    contractsSnapshot([
      contract('orders', {
        operations: { find: query({ summary: 'Finds', access, input: order, output: order }) },
      }),
    ])
  for (const was of accesses)
    for (const is of accesses) {
      const refused = callers.some((caller) => passes(was, caller) && !passes(is, caller))
      const rules = incompatibilities(snapshot(was), snapshot(is)).map(({ rule }) => rule)
      expect(rules, `${was} → ${is}`).toEqual(refused ? ['access-tightened'] : [])
    }
})

test('repeat: only never → natural asks nothing of callers and takes nothing from them', () => {
  const snapshot = (repeat: 'key' | 'natural' | 'never') => contractsSnapshot([shop({ place: { repeat } })]) // prettier-ignore
  const all = ['key', 'natural', 'never'] as const
  const harmless = all.flatMap(
    (was) =>
    all.filter((is) => incompatibilities(snapshot(was), snapshot(is)).length === 0).map((is) => `${was} → ${is}`), // prettier-ignore
  )
  expect(harmless).toEqual(['key → key', 'natural → natural', 'never → natural', 'never → never'])
})

test('a snapshot does not depend on the order in which things are declared', () => {
  const kinds: FailureKind[] = ['conflict', 'not-found', 'unprocessable']
  const parts = Array.from({ length: 5 }, (_, at) => at)
  const made = (order_: readonly number[]) => {
    const entries = order_.map((at) => [`op${at}`, query({ summary: '', access: 'user', input: order, output: order, problems: kinds.map((kind) => problem(`p-${kind}`, { kind: kind as 'conflict', title: kind })) })] as const) // prettier-ignore
    return JSON.stringify(
      contractsSnapshot(order_.map((at) => contract(`c${at}`, { operations: Object.fromEntries(entries) }))), // prettier-ignore
    )
  }
  fc.assert(
    fc.property(fc.shuffledSubarray(parts, { minLength: parts.length }), (shuffled) => {
      expect(made(shuffled)).toBe(made(parts))
    }),
    { numRuns: 20 },
  )
})

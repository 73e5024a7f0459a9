import fc from 'fast-check'
import { expect, test } from 'vitest'
import { changeOf, completed, type Change } from './history.ts'
import {
  cancelled,
  cancelling,
  confirmed,
  paid,
  reserved,
  type OrderState,
  type Transition,
} from './order.ts'

const transitions: readonly Transition[] = [
  reserved(5_000),
  paid,
  confirmed,
  cancelling('out-of-stock'),
  cancelled(true),
]
const placedAt = 1_000

/** Orders on any way that an order can go, with every change that was made. */
const ways = fc.array(fc.nat({ max: transitions.length - 1 }), { maxLength: 12 }).map((asked) => {
  let state: OrderState = { status: 'placed' }
  const changes: Change[] = [changeOf(1, state, placedAt)]
  for (const [index, choice] of asked.entries()) {
    const after: OrderState | undefined = transitions[choice]?.(state)
    if (after === undefined) continue
    state = after
    changes.push(changeOf(changes.length + 1, state, 2_000 + index))
  }
  return { changes, order: { state, placedAt, version: changes.length } }
})

test('a history in which every change was noted is answered as it is', () => {
  fc.assert(
    fc.property(ways, ({ changes, order }) => {
      expect(completed(changes, order)).toEqual(changes)
    }),
  )
})

test('whatever was not noted, the history has every status in its place, and keeps what was', () => {
  fc.assert(
    fc.property(
      ways,
      fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      ({ changes, order }, kept) => {
        const noted = changes.filter((_, index) => kept[index] === true)
        const history = completed(noted, order)
        const told = (change: Change) => ({ ...change, at: undefined })
        expect(history.map(told)).toEqual(changes.map(told))
        for (const change of noted) expect(history).toContainEqual(change)
      },
    ),
  )
})

test('a time that is not known is the last one that is', () => {
  const at = '1970-01-01T00:00:01.000Z'
  expect(completed([], { state: { status: 'confirmed' }, placedAt, version: 4 })).toEqual([
    { id: 1, status: 'placed', at },
    { id: 2, status: 'reserved', at },
    { id: 3, status: 'paid', at },
    { id: 4, status: 'confirmed', at },
  ])
  const reservedLater = { status: 'reserved', reservedAt: 5_000 } as const
  expect(completed([], { state: reservedLater, placedAt, version: 2 })).toEqual([
    { id: 1, status: 'placed', at },
    { id: 2, status: 'reserved', at: '1970-01-01T00:00:05.000Z' },
  ])
})

test('a change bears the reason, the refund and the time', () => {
  const state = { status: 'cancelled', reason: 'payment-timeout', refunded: true } as const
  expect(changeOf(5, state, 4_000)).toEqual({
    id: 5,
    status: 'cancelled',
    reason: 'payment-timeout',
    refunded: true,
    at: '1970-01-01T00:00:04.000Z',
  })
  expect(changeOf(5, { ...state, refunded: false }, 0)).not.toHaveProperty('refunded')
})

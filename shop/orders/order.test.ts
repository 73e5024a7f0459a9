import fc from 'fast-check'
import { expect, test } from 'vitest'
import { reasons } from './contract.ts'
import {
  cancelled,
  cancelling,
  confirmed,
  isFinal,
  needsToken,
  orderView,
  paid,
  reserved,
  type OrderRecord,
  type OrderState,
  type Transition,
} from './order.ts'

const placed: OrderState = { status: 'placed' }
const order: OrderRecord = {
  id: 'o',
  customerId: 'c',
  lines: [],
  total: { amount: 0, currency: 'GBP' },
  placedAt: 0,
  quotedAt: undefined,
  shipTo: undefined,
  sealedToken: new Uint8Array([1]),
  state: placed,
  version: 1,
}

const transitions: Readonly<Record<string, Transition>> = {
  reserved: reserved(5),
  paid,
  confirmed,
  cancelling: cancelling('out-of-stock'),
  cancelled: cancelled(true),
}

/** Which transitions each status allows: all there is to know of the machine. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  placed: ['reserved', 'cancelling'],
  reserved: ['paid', 'cancelling'],
  paid: ['confirmed', 'cancelling'],
  confirmed: [],
  cancelling: ['cancelled'],
  cancelled: [],
}

test('an order makes the transitions of its status and no others, in whatever order they are asked for', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...Object.keys(transitions)), { maxLength: 12 }),
      (asked) => {
        let state: OrderState = placed
        for (const name of asked) {
          const after: OrderState | undefined = transitions[name]?.(state)
          expect(after !== undefined).toBe(allowed[state.status]?.includes(name))
          if (after !== undefined) expect(after.status).toBe(name)
          state = after ?? state
        }
        expect(isFinal(state.status)).toBe(allowed[state.status]?.length === 0)
      },
    ),
  )
})

test('the payment token is kept until the payment is made, or the order cancelled', () => {
  const kept = Object.keys(allowed).filter((status) =>
    // Nothing but the status is asked.
    needsToken({ status } as OrderState),
  )
  expect(kept).toEqual(['placed', 'reserved'])
})

test('a customer sees a reason where there is one, and a refund only where money went back', () => {
  for (const reason of reasons) {
    const view = (refunded: boolean) =>
      orderView({ ...order, state: { status: 'cancelled', reason, refunded } })
    expect(view(true)).toMatchObject({ status: 'cancelled', reason, refunded: true })
    expect(view(false)).toMatchObject({ status: 'cancelled', reason })
    expect(view(false)).not.toHaveProperty('refunded')
  }
  expect(orderView(order)).not.toHaveProperty('reason')
  expect(JSON.stringify(orderView(order))).not.toContain('oken')
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { reasons } from './contract.ts'
import {
  cancelled,
  cancelling,
  confirmed,
  orderView,
  paid,
  reserved,
  type OrderRecord,
  type Transition,
} from './order.ts'

const placed: OrderRecord = {
  id: 'o',
  customerId: 'c',
  lines: [],
  total: { amount: 0, currency: 'GBP' },
  placedAt: 0,
  shipTo: undefined,
  sealedToken: new Uint8Array([1]),
  state: { status: 'placed' },
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
        let order = placed
        for (const name of asked) {
          const after = transitions[name]?.(order)
          expect(after !== undefined).toBe(allowed[order.state.status]?.includes(name))
          if (after !== undefined) expect(after.state.status).toBe(name)
          order = after ?? order
        }
      },
    ),
  )
})

test('the payment token goes as soon as it is not needed', () => {
  const taken = reserved(5)(placed)
  expect(taken?.sealedToken).toBeDefined()
  expect(taken && paid(taken)?.sealedToken).toBeUndefined()
  expect(cancelling('payment-declined')(placed)?.sealedToken).toBeUndefined()
})

test('a customer sees a reason where there is one, and a refund only where money went back', () => {
  for (const reason of reasons) {
    const ending = cancelling(reason)(placed)
    const refunded = ending && cancelled(true)(ending)
    const unpaid = ending && cancelled(false)(ending)
    expect(refunded && orderView(refunded)).toMatchObject({
      status: 'cancelled',
      reason,
      refunded: true,
    })
    expect(unpaid && orderView(unpaid)).not.toHaveProperty('refunded')
  }
  expect(orderView(placed)).not.toHaveProperty('reason')
  expect(JSON.stringify(orderView(placed))).not.toContain('oken')
})

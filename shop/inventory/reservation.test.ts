import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  available,
  committing,
  holding,
  mustCover,
  mustStand,
  releasing,
  summed,
  type Reservation,
  type StockLevel,
  type Transition,
} from './reservation.ts'

const sku = fc.constantFrom('a', 'b', 'c', 'd')
const lines = fc.array(fc.record({ sku, quantity: fc.integer({ min: 1, max: 50 }) }), {
  minLength: 1,
  maxLength: 12,
})
const held = holding('o', [{ sku: 'a', quantity: 2 }], 1_000)

describe('lines', () => {
  test('are summed to one a SKU and lose no unit', () => {
    fc.assert(
      fc.property(lines, (given) => {
        const sums = summed(given)
        expect(new Set(sums.map((line) => line.sku)).size).toBe(sums.length)
        for (const line of sums) {
          const quantities = given.filter((one) => one.sku === line.sku).map((one) => one.quantity)
          expect(line.quantity).toBe(quantities.reduce((sum, quantity) => sum + quantity))
        }
        expect(new Set(sums.map((line) => line.sku))).toEqual(new Set(given.map((one) => one.sku)))
      }),
    )
  })

  test('whose sum is beyond 2^53 are out of stock, whatever the stock is', () => {
    const most = Number.MAX_SAFE_INTEGER
    const level = { sku: 'a', onHand: most, reserved: 0 }
    const wanted = summed([
      { sku: 'a', quantity: most },
      { sku: 'a', quantity: 1 },
    ])
    expect(() => mustCover([level], wanted)).toThrow(
      expect.objectContaining({ code: 'out-of-stock' }),
    )
  })
})

describe('a reservation', () => {
  test('is refused for just those SKUs of which there is too little, or nothing known', () => {
    const level = fc.record({ onHand: fc.nat(60), reserved: fc.nat(60) }).map((one) => ({
      onHand: Math.max(one.onHand, one.reserved),
      reserved: Math.min(one.onHand, one.reserved),
    }))
    fc.assert(
      fc.property(fc.dictionary(sku, level), lines, (known, given) => {
        const levels = Object.entries(known).map(([name, one]) => ({ sku: name, ...one }))
        const wanted = summed(given)
        const lacking = wanted.filter((line) => {
          const one = levels.find((candidate) => candidate.sku === line.sku)
          return one === undefined || available(one) < line.quantity
        })
        const decide = () => mustCover(levels, wanted)
        if (lacking.length === 0) expect(decide).not.toThrow()
        else
          expect(decide).toThrow(
            expect.objectContaining({ data: { skus: lacking.map((line) => line.sku) } }),
          )
      }),
    )
  })

  test('stands for 30 minutes, and for ever once it is committed', () => {
    expect(held.expiresAt).toBe(1_000 + 1_800_000)
    expect(mustStand(held, held.expiresAt - 1)).toBe(held)
    const gone = expect.objectContaining({ code: 'reservation-gone' })
    expect(() => mustStand(held, held.expiresAt)).toThrow(gone)
    expect(() => mustStand({ ...held, status: 'released' }, 0)).toThrow(gone)
    expect(() => mustStand(undefined, 0)).toThrow(gone)
    expect(mustStand({ ...held, status: 'committed' }, held.expiresAt + 1).status).toBe('committed')
  })

  test('moves stock once for each change of its status, and given back leaves it as it was', () => {
    const step = fc.constantFrom('commit' as const, 'release' as const)
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), fc.integer({ min: 2, max: 9 }), (steps, on) => {
        const before: StockLevel = { sku: 'a', onHand: on, reserved: 2 }
        let reservation: Reservation = held
        let level = before
        const apply = (transition: Transition | undefined) => {
          if (transition === undefined) return
          const { onHand, reserved } = transition.move
          reservation = { ...reservation, status: transition.status }
          level = {
            ...level,
            onHand: level.onHand + 2 * onHand,
            reserved: level.reserved + 2 * reserved,
          }
        }
        for (const one of steps)
          apply(one === 'commit' ? committing(reservation) : releasing(reservation))
        expect(level.reserved).toBeGreaterThanOrEqual(0)
        expect(level.onHand).toBeGreaterThanOrEqual(level.reserved)
        apply(releasing(reservation))
        expect(level).toEqual({ ...before, reserved: 0 })
        expect(releasing(reservation)).toBeUndefined()
        expect(committing(reservation)).toBeUndefined()
      }),
    )
  })
})

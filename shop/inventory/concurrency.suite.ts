import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ServalError, type Client } from 'serval'
import type { TestServices } from 'serval/testing'
import { inventory } from './contract.ts'

export interface ConcurrencyHosts {
  /** Hosts that run the inventory service on one store. */
  readonly hosts: readonly Pick<TestServices, 'client'>[]
  end(): Promise<unknown>
}

type Inventory = Client<typeof inventory>

/** The codes of the failures among some calls made at once, 'ok' for the rest. */
const outcomes = async (calls: readonly Promise<unknown>[]): Promise<readonly string[]> => {
  const settled = await Promise.allSettled(calls)
  return settled.map((result) => {
    if (result.status === 'fulfilled') return 'ok'
    if (result.reason instanceof ServalError) return result.reason.code
    throw result.reason
  })
}

const tally = (found: readonly string[]) =>
  Object.fromEntries(
    [...new Set(found)].map((code) => [code, found.filter((one) => one === code).length]),
  )

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

/** What must hold when many callers, on one host or several, want the same units at once. */
export const inventoryConcurrencySuite = (
  name: string,
  start: () => Promise<ConcurrencyHosts>,
): void => {
  describe(`inventory under concurrency: ${name}`, () => {
    let running: ConcurrencyHosts
    let clients: readonly Inventory[]
    let inventoryOf: (caller: number) => Inventory
    const level = async (sku: string) => (await inventoryOf(0).stock({ sku })).available
    const audit = () => {
      const [host] = running.hosts
      if (host === undefined) throw new Error('the suite needs a host')
      return host.client(inventory, { kind: 'operator' }).audit({})
    }

    beforeAll(async () => {
      running = await start()
      clients = running.hosts.map((host) =>
        host.client(inventory, { kind: 'service', name: 'orders' }),
      )
      inventoryOf = (caller) => {
        const client = clients[caller % clients.length]
        if (client === undefined) throw new Error('the suite needs a host')
        return client
      }
    }, 60_000)
    afterAll(() => running?.end(), 60_000)

    test('64 callers after the last 10 units of a SKU reserve exactly 10', async () => {
      await inventoryOf(0).provide({ counts: [{ sku: 'LAST', onHand: 10 }] })
      const lines = [{ sku: 'LAST', quantity: 1 }]
      const found = await outcomes(
        numbers(64).map((n) => inventoryOf(n).reserve({ orderId: `last-${n}`, lines })),
      )
      expect(tally(found)).toEqual({ ok: 10, 'out-of-stock': 54 })
      expect(await level('LAST')).toBe(0)
      const winners = numbers(64).filter((n) => found[n] === 'ok')
      const losers = numbers(64).filter((n) => found[n] !== 'ok')
      await Promise.all(winners.map((n) => inventoryOf(n + 1).commit({ orderId: `last-${n}` })))
      const refused = losers.map((n) => inventoryOf(n).commit({ orderId: `last-${n}` }))
      expect(tally(await outcomes(refused))).toEqual({ 'reservation-gone': 54 })
      expect(await level('LAST')).toBe(0)
    }, 30_000)

    test('one order reserved by many at once is reserved once, with one answer', async () => {
      await inventoryOf(0).provide({ counts: [{ sku: 'ONCE', onHand: 100 }] })
      const lines = [{ sku: 'ONCE', quantity: 3 }]
      const answers = await Promise.all(
        numbers(24).map((n) => inventoryOf(n).reserve({ orderId: 'once', lines })),
      )
      expect(new Set(answers.map(({ expiresAt }) => expiresAt)).size).toBe(1)
      expect(await level('ONCE')).toBe(97)
    }, 30_000)

    test('whichever of reserve, commit and release comes first, the units come back', async () => {
      await inventoryOf(0).provide({ counts: [{ sku: 'BACK', onHand: 1_000 }] })
      const lines = [{ sku: 'BACK', quantity: 5 }]
      const found = await outcomes(
        numbers(40).flatMap((n) => {
          const orderId = `back-${n}`
          const calls = [
            () => inventoryOf(n).reserve({ orderId, lines }),
            () => inventoryOf(n + 1).release({ orderId }),
            () => inventoryOf(n).commit({ orderId }),
          ]
          // Another order of the three calls for each.
          return numbers(3).map(
            (at) => calls[(at * (1 + (n % 2)) + n) % 3]?.() ?? Promise.resolve(),
          )
        }),
      )
      expect(new Set(found)).toEqual(new Set(['ok', 'reservation-gone']))
      expect(await level('BACK')).toBe(1_000)
      const late = numbers(40).map((n) => inventoryOf(n).reserve({ orderId: `back-${n}`, lines }))
      expect(tally(await outcomes(late))).toEqual({ 'reservation-gone': 40 })
    }, 30_000)

    test('a count and reservations at once never promise more than there is', async () => {
      await inventoryOf(0).provide({ counts: [{ sku: 'COUNTED', onHand: 20 }] })
      const lines = [{ sku: 'COUNTED', quantity: 2 }]
      const counts = numbers(10).map((n) => inventoryOf(n).count({ sku: 'COUNTED', onHand: n + 2 }))
      const orders = numbers(20).map((n) =>
        inventoryOf(n + 1).reserve({ orderId: `counted-${n}`, lines }),
      )
      const [counted, ordered] = await Promise.all([outcomes(counts), outcomes(orders)])
      expect(new Set(['ok', 'below-reserved', ...counted])).toEqual(
        new Set(['ok', 'below-reserved']),
      )
      expect(new Set(['ok', 'out-of-stock', ...ordered])).toEqual(new Set(['ok', 'out-of-stock']))
      expect(await level('COUNTED')).toBeGreaterThanOrEqual(0)
      expect((await audit()).negative).toBe(0)
    }, 30_000)

    test('adjustments and reservations at once never promise more than there is', async () => {
      await inventoryOf(0).provide({ counts: [{ sku: 'ADJUSTED', onHand: 30 }] })
      const before = await audit()
      const lines = [{ sku: 'ADJUSTED', quantity: 3 }]
      const deltas = numbers(30).map((n) => (n % 3 === 0 ? 5 : -4))
      const [adjusted, ordered] = await Promise.all([
        outcomes(
          deltas.map((delta, n) =>
            inventoryOf(n).adjust(
              { sku: 'ADJUSTED', delta, reason: 'Raced' },
              { key: `adjusted-${n}` },
            ),
          ),
        ),
        outcomes(
          numbers(30).map(async (n) => {
            const orderId = `adjusted-${n}`
            await inventoryOf(n + 1).reserve({ orderId, lines })
            if (n % 3 === 1) await inventoryOf(n).commit({ orderId })
            if (n % 3 === 2) await inventoryOf(n).release({ orderId })
          }),
        ),
      ])
      expect(new Set(['ok', 'below-reserved', ...adjusted])).toEqual(
        new Set(['ok', 'below-reserved']),
      )
      expect(new Set(['ok', 'out-of-stock', ...ordered])).toEqual(new Set(['ok', 'out-of-stock']))
      const done = (outcome: string, n: number) => outcome === 'ok' && n % 3
      const committed = ordered.filter((one, n) => done(one, n) === 1).length
      const held = ordered.filter((one, n) => done(one, n) === 0).length
      const made = deltas.filter((_, n) => adjusted[n] === 'ok')
      const onHand = 30 + made.reduce((sum, delta) => sum + delta, 0) - 3 * committed
      expect(await level('ADJUSTED')).toBe(onHand - 3 * held)
      const after = await audit()
      expect(after.negative).toBe(0)
      expect(after.onHand - before.onHand).toBe(onHand - 30)
      expect(after.reserved - before.reserved).toBe(3 * held)
      const { items } = await inventoryOf(0).adjustments({ sku: 'ADJUSTED', limit: 100 })
      const ascending = (all: readonly number[]) => all.toSorted((a, b) => a - b)
      expect(ascending(items.map(({ delta }) => delta))).toEqual(ascending(made))
    }, 30_000)

    test('orders of the same hot SKUs in different orders do not block each other', async () => {
      const skus = numbers(12).map((n) => `HOT-${n}`)
      const before = await audit()
      await inventoryOf(0).provide({ counts: skus.map((sku) => ({ sku, onHand: 10_000 })) })
      const linesOf = (n: number) =>
        // 5 and 7 are coprime to 12: each names 8 SKUs, from another start, in another order.
        numbers(8).map((at) => ({ sku: `HOT-${(n * 7 + at * (n % 2 ? 5 : 7)) % 12}`, quantity: 1 }))
      const found = await outcomes(
        numbers(96).map(async (n) => {
          const orderId = `hot-${n}`
          await inventoryOf(n).reserve({ orderId, lines: linesOf(n) })
          if (n % 3 < 2) await inventoryOf(n + 1).commit({ orderId })
          if (n % 3 > 0) await inventoryOf(n).release({ orderId })
        }),
      )
      expect(tally(found)).toEqual({ ok: 96 })
      const after = await audit()
      // A third of the orders stays committed, the other two thirds came back.
      expect(after.onHand - before.onHand).toBe(12 * 10_000 - 32 * 8)
      expect(after.reserved).toBe(before.reserved)
      expect(after.negative).toBe(0)
    }, 30_000)
  })
}

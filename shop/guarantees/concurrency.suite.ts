import { eventually, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accounts } from '../accounts/contract.ts'
import { inventory } from '../inventory/contract.ts'
import { orders } from '../orders/contract.ts'
import {
  finalOrder,
  newCustomer,
  startShop,
  stockOf,
  sums,
  userOf,
  type World,
} from './shop-in-test.suite.ts'

const anonymous = { kind: 'anonymous' } as const
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

/** What must come out once, whoever asks at the same time, through whichever host. */
export const concurrencySuite = (
  name: string,
  start: () => Promise<{ readonly worlds: readonly World[]; end(): Promise<void> }>,
): void => {
  describe(`the shop under concurrency: ${name}`, () => {
    let started: Awaited<ReturnType<typeof start>>
    let hosts: readonly TestServices[]
    let user: ReturnType<typeof userOf>
    const host = (index: number): TestServices => {
      const found = hosts[index % hosts.length]
      if (found === undefined) throw new Error('no host runs')
      return found
    }
    const ordersAt = (index: number, who = user) => host(index).client(orders, who)
    const available = async (sku: string) =>
      (await host(0).client(inventory, anonymous).stock({ sku })).available

    beforeAll(async () => {
      started = await start()
      hosts = await Promise.all(started.worlds.map((world) => startShop(world)))
      user = await newCustomer(host(0), 'crowd')
      await stockOf(host(0), [
        { sku: 'LAST', onHand: 10 },
        { sku: 'MANY', onHand: 100_000 },
      ])
    }, 60_000)
    afterAll(async () => {
      for (const one of hosts ?? []) await one.end({ keepServer: true })
      await started?.end()
    }, 60_000)

    test('64 clients after the last 10 units get exactly 10', async () => {
      const placed = await Promise.all(
        numbers(64).map((n) =>
          ordersAt(n).place(
            { lines: [{ sku: 'LAST', quantity: 1 }], payment: { token: 'tok_ok' } },
            { key: `last-${n}` },
          ),
        ),
      )
      const ended = await Promise.all(
        placed.map((order, n) => finalOrder(host(n + 1), user, order.id)),
      )
      expect(ended.filter((order) => order.status === 'confirmed').length).toBe(10)
      const refused = ended.filter((order) => order.status === 'cancelled')
      expect(refused.length).toBe(54)
      expect(new Set(refused.map((order) => order.reason))).toEqual(new Set(['out-of-stock']))
      expect(await available('LAST')).toBe(0)
    }, 60_000)

    test('one order comes of 16 requests at once under one key, and each gets the same reply', async () => {
      const before = await sums(host(0))
      const body = { lines: [{ sku: 'MANY', quantity: 3 }], payment: { token: 'tok_ok' } }
      const replies = await Promise.all(
        numbers(16).map((n) => ordersAt(n).place(body, { key: 'same' })),
      )
      expect(new Set(replies.map((reply) => JSON.stringify(reply))).size).toBe(1)
      expect((await sums(host(1))).orders).toBe(before.orders + 1)
      const other = ordersAt(1).place(
        { ...body, lines: [{ sku: 'MANY', quantity: 4 }] },
        { key: 'same' },
      )
      await expect(other).rejects.toMatchObject({ code: 'idempotency-key-reused' })
      for (const { id } of replies) await finalOrder(host(0), user, id)
    })

    test('two refreshes at once of one token give one pair', async () => {
      const client = (n: number) => host(n).client(accounts, anonymous)
      const { refreshToken } = await client(0).login({
        email: 'crowd@example.org',
        password: 'correct horse',
      })
      const pairs = await Promise.all(numbers(8).map((n) => client(n).refresh({ refreshToken })))
      expect(new Set(pairs.map((pair) => pair.refreshToken)).size).toBe(1)
    })

    test('a cancellation and a confirmation of one order have one outcome', async () => {
      const stock = await available('MANY')
      const outcomes = await Promise.all(
        numbers(40).map(async (n) => {
          const { id } = await ordersAt(n).place(
            { lines: [{ sku: 'MANY', quantity: 1 }], payment: { token: 'tok_ok' } },
            { key: `race-${n}` },
          )
          // Some are cancelled at once, others after they have made some of their way.
          for (let turn = 0; turn < n; turn++) await ordersAt(n).order({ id })
          const cancelled = await ordersAt(n + 1)
            .cancel({ id })
            .then(
              () => true,
              (error: unknown) => {
                expect(error).toMatchObject({ code: 'already-confirmed' })
                return false
              },
            )
          const order = await finalOrder(host(n), user, id)
          expect(order.status).toBe(cancelled ? 'cancelled' : 'confirmed')
          if (cancelled) expect(order.reason).toBe('cancelled-by-customer')
          return cancelled
        }),
      )
      expect(outcomes).toContain(true)
      const confirmed = outcomes.filter((cancelled) => !cancelled).length
      expect(await available('MANY')).toBe(stock - confirmed)
    }, 60_000)

    test('afterwards every sum agrees', async () => {
      const all = await sums(host(0))
      expect(all.orders).toBe(all.confirmed + all.cancelled)
      expect(all.captured).toBe(all.confirmedAmount)
      expect(all.charged).toBe(all.captured + all.refunded)
      expect(all).toMatchObject({ doubled: 0, negative: 0, reserved: 0, reservations: { held: 0 } })
      await eventually(
        async () => (await sums(host(1))).counted === all.confirmed,
        'the last order’s counting',
      )
      expect((await sums(host(0))).countedAmount).toBe(all.confirmedAmount)
    })
  })
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from 'serval'
import { eventually, manualEnv, startTestServices, type TestServices } from 'serval/testing'
import { inventory } from './contract.ts'
import { inventoryService } from './service.ts'

const env = manualEnv()
let system: TestServices
let orders: Client<typeof inventory>
let operator: Client<typeof inventory>

beforeAll(async () => {
  system = await startTestServices({ services: [inventoryService], env })
  orders = system.client(inventory, { kind: 'service', name: 'orders' })
  operator = system.client(inventory, { kind: 'operator' })
})
afterAll(() => system?.end())

const provide = (counts: Readonly<Record<string, number>>) =>
  orders.provide({ counts: Object.entries(counts).map(([sku, onHand]) => ({ sku, onHand })) })
const level = async (sku: string) => (await orders.stock({ sku })).available
const code = (expected: string, data?: unknown) =>
  expect.objectContaining(data === undefined ? { code: expected } : { code: expected, data })

describe('stock', () => {
  test('of an unknown SKU is not found', async () => {
    await expect(orders.stock({ sku: 'nobody' })).rejects.toEqual(
      code('no-such-stock', { sku: 'nobody' }),
    )
  })

  test('is provided once and keeps what was counted', async () => {
    expect(await provide({ P1: 5, P2: 6 })).toEqual({ added: 2 })
    expect(await provide({ P1: 50, P3: 7 })).toEqual({ added: 1 })
    expect(await Promise.all(['P1', 'P2', 'P3'].map(level))).toEqual([5, 6, 7])
    const twice = { sku: 'P4', onHand: 1 }
    expect(await orders.provide({ counts: [twice, twice] })).toEqual({ added: 1 })
    expect(await orders.provide({ counts: [] })).toEqual({ added: 0 })
  })

  test('is counted, added when it is missing, and never set below what is reserved', async () => {
    const merchant = system.client(inventory, {
      kind: 'user',
      id: 'm',
      roles: ['merchant'],
      session: 's',
    })
    expect(await merchant.count({ sku: 'C1', onHand: 4 })).toEqual({ sku: 'C1', available: 4 })
    await orders.reserve({ orderId: 'c1', lines: [{ sku: 'C1', quantity: 3 }] })
    expect(await merchant.count({ sku: 'C1', onHand: 3 })).toEqual({ sku: 'C1', available: 0 })
    await expect(merchant.count({ sku: 'C1', onHand: 2 })).rejects.toEqual(
      code('below-reserved', { sku: 'C1', reserved: 3 }),
    )
    expect(await merchant.count({ sku: 'C1', onHand: 9 })).toEqual({ sku: 'C1', available: 6 })
  })

  test('is changed by merchants and services only', async () => {
    const customer = system.client(inventory, { kind: 'user', id: 'u', roles: [], session: 's' })
    await expect(customer.count({ sku: 'C2', onHand: 1 })).rejects.toEqual(code('forbidden'))
    await expect(
      customer.reserve({ orderId: 'x', lines: [{ sku: 'C2', quantity: 1 }] }),
    ).rejects.toEqual(code('forbidden'))
    await expect(customer.audit({})).rejects.toEqual(code('forbidden'))
  })
})

describe('an order', () => {
  test('reserves all its lines or none, and may try again after a refusal', async () => {
    await provide({ A1: 10, A2: 2 })
    const lines = [
      { sku: 'A1', quantity: 4 },
      { sku: 'A2', quantity: 2 },
      { sku: 'A2', quantity: 1 },
      { sku: 'A9', quantity: 1 },
    ]
    const before = await operator.audit({})
    await expect(orders.reserve({ orderId: 'a', lines })).rejects.toEqual(
      code('out-of-stock', { skus: ['A2', 'A9'] }),
    )
    expect(await operator.audit({})).toEqual(before)
    await provide({ A9: 1 })
    await orders.count({ sku: 'A2', onHand: 3 })
    await orders.reserve({ orderId: 'a', lines })
    expect(await Promise.all(['A1', 'A2', 'A9'].map(level))).toEqual([6, 0, 0])
  })

  test('that repeats a reserve or a commit gets the same answer', async () => {
    await provide({ R1: 10 })
    const lines = [{ sku: 'R1', quantity: 4 }]
    const first = await orders.reserve({ orderId: 'r', lines })
    await env.advance(5_000)
    expect(await orders.reserve({ orderId: 'r', lines })).toEqual(first)
    expect(await orders.commit({ orderId: 'r' })).toEqual({})
    expect(await orders.commit({ orderId: 'r' })).toEqual({})
    expect(await orders.reserve({ orderId: 'r', lines })).toEqual(first)
    expect(await level('R1')).toBe(6)
  })

  test('gives its units back once, held or committed, and is gone then', async () => {
    await provide({ G1: 10 })
    const lines = [{ sku: 'G1', quantity: 4 }]
    for (const orderId of ['g-held', 'g-committed']) {
      await orders.reserve({ orderId, lines })
      if (orderId === 'g-committed') await orders.commit({ orderId })
      expect(await level('G1')).toBe(6)
      await orders.release({ orderId })
      await orders.release({ orderId })
      expect(await level('G1')).toBe(10)
      await expect(orders.reserve({ orderId, lines })).rejects.toEqual(code('reservation-gone'))
      await expect(orders.commit({ orderId })).rejects.toEqual(code('reservation-gone'))
    }
  })

  test('that was released before it was reserved is refused later', async () => {
    await provide({ T1: 1 })
    await orders.release({ orderId: 't' })
    await orders.release({ orderId: 't' })
    await expect(
      orders.reserve({ orderId: 't', lines: [{ sku: 'T1', quantity: 1 }] }),
    ).rejects.toEqual(code('reservation-gone'))
    expect(await level('T1')).toBe(1)
  })

  test('that was never reserved cannot be committed', async () => {
    await expect(orders.commit({ orderId: 'never' })).rejects.toEqual(code('reservation-gone'))
  })

  test('of 1,200 lines is one reservation', async () => {
    const skus = Array.from({ length: 1_200 }, (_, n) => `L-${n}`)
    for (const part of [skus.slice(0, 600), skus.slice(600)])
      await provide(Object.fromEntries(part.map((sku) => [sku, 2])))
    const before = await operator.audit({})
    await orders.reserve({ orderId: 'l', lines: skus.map((sku) => ({ sku, quantity: 2 })) })
    expect((await operator.audit({})).reserved - before.reserved).toBe(2_400)
    await orders.release({ orderId: 'l' })
    expect(await operator.audit({})).toEqual({
      ...before,
      reservations: { ...before.reservations, released: before.reservations.released + 1 },
    })
  })
})

test('reservations whose time is over are given back, more of them than a step takes', async () => {
  await provide({ E1: 1_000, E2: 1_000 })
  const kept = { orderId: 'e-kept', lines: [{ sku: 'E1', quantity: 1 }] }
  await orders.reserve(kept)
  await orders.commit(kept)
  for (let n = 0; n < 250; n++)
    await orders.reserve({
      orderId: `e-${n}`,
      lines: [
        { sku: 'E2', quantity: 1 },
        { sku: 'E1', quantity: 2 },
      ],
    })
  await env.advance(29 * 60_000)
  expect(await level('E1')).toBe(499)
  await env.advance(61_000)
  // Its time is over, whether or not the job has come to it.
  await expect(orders.commit({ orderId: 'e-249' })).rejects.toEqual(code('reservation-gone'))
  await eventually(async () => {
    await env.advance(10_000)
    return (await operator.audit({})).reservations.held === 0
  }, 'the release of all expired reservations')
  expect(await level('E1')).toBe(999)
  expect(await level('E2')).toBe(1_000)
  expect((await operator.audit({})).reserved).toBe(0)
  await orders.commit(kept)
}, 60_000)

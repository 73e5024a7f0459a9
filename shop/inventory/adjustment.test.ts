import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from 'serval'
import { manualEnv, startTestServices, type TestServices } from 'serval/testing'
import { adjusted } from './adjustment.ts'
import { inventory, mostUnits } from './contract.ts'
import { inventoryService } from './service.ts'

const env = manualEnv()
let system: TestServices
let merchant: Client<typeof inventory>
let orders: Client<typeof inventory>

const ada = { kind: 'user', id: 'ada', roles: ['merchant'], session: 's' } as const
beforeAll(async () => {
  system = await startTestServices({ services: [inventoryService], env })
  merchant = system.client(inventory, ada)
  orders = system.client(inventory, { kind: 'service', name: 'orders' })
})
afterAll(() => system?.end())

const code = (expected: string, data?: unknown) =>
  expect.objectContaining(data === undefined ? { code: expected } : { code: expected, data })
const level = async (sku: string) => (await orders.stock({ sku })).available
let keys = 0
const adjust = (sku: string, delta: number, reason = 'Counted anew', client = merchant) =>
  client.adjust({ sku, delta, reason }, { key: `key-${(keys += 1)}` })

describe('the rule', () => {
  test('adds up, or says why not, and never leaves fewer units than are promised', () => {
    const units = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: mostUnits }))
    const delta = fc.oneof(
      fc.integer({ min: -20, max: 20 }),
      fc.integer({ min: -mostUnits, max: mostUnits }),
    )
    fc.assert(
      fc.property(units, units, delta, (one, other, by) => {
        const before = { sku: 'a', onHand: Math.max(one, other), reserved: Math.min(one, other) }
        const onHand = before.onHand + by
        const decide = () => adjusted(before, 'a', by)
        if (onHand < before.reserved) expect(decide).toThrow(code('below-reserved'))
        else if (onHand > mostUnits) expect(decide).toThrow(code('too-many-units'))
        else expect(decide()).toEqual({ ...before, onHand })
      }),
    )
    expect(() => adjusted(undefined, 'a', 1)).toThrow(code('no-such-stock', { sku: 'a' }))
  })
})

describe('an adjustment', () => {
  test('changes the stock, and is kept with who made it, when and why', async () => {
    const sku = String.raw`a "b" \ %/?#~`
    await merchant.count({ sku, onHand: 10 })
    const added = await adjust(sku, 5, 'Found behind the shelf')
    const at = new Date(env.now()).toISOString()
    const { adjustment } = added
    expect(added).toEqual({ sku, available: 15, adjustment })
    expect(adjustment).toEqual({
      id: expect.any(String),
      sku,
      delta: 5,
      reason: 'Found behind the shelf',
      at,
      by: 'ada',
    })
    await env.advance(1_000)
    const taken = await adjust(sku, -15, 'Water damage')
    expect(taken.available).toBe(0)
    const byService = await adjust(sku, 1, 'Imported', orders)
    expect(byService.adjustment).not.toHaveProperty('by')
    expect((await merchant.adjustments({ sku })).items).toEqual([
      byService.adjustment,
      taken.adjustment,
      adjustment,
    ])
    expect(await level(sku)).toBe(1)
  })

  test('comes newest first, in pages, also when clocks went back', async () => {
    await merchant.count({ sku: 'paged', onHand: 0 })
    await merchant.count({ sku: 'paged 2', onHand: 0 })
    const ids: string[] = []
    for (let n = 1; n <= 7; n++) {
      ids.unshift((await adjust('paged', n)).adjustment.id)
      await adjust('paged 2', 1)
    }
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await merchant.adjustments({ sku: 'paged', limit: 3, ...(cursor && { cursor }) })
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.next
    } while (cursor !== undefined)
    expect(seen).toEqual(ids)
    await expect(merchant.adjustments({ sku: 'paged', cursor: 'abc' })).rejects.toEqual(
      code('invalid-input'),
    )
  })

  test('needs a SKU that is known, also to be listed', async () => {
    await expect(adjust('nobody', 1)).rejects.toEqual(code('no-such-stock', { sku: 'nobody' }))
    await expect(merchant.adjustments({ sku: 'nobody' })).rejects.toEqual(
      code('no-such-stock', { sku: 'nobody' }),
    )
    await merchant.count({ sku: 'quiet', onHand: 1 })
    expect(await merchant.adjustments({ sku: 'quiet' })).toEqual({ items: [] })
  })

  test('takes no unit that is promised, and adds none beyond the most', async () => {
    await merchant.count({ sku: 'edge', onHand: 5 })
    await orders.reserve({ orderId: 'edge', lines: [{ sku: 'edge', quantity: 3 }] })
    await expect(adjust('edge', -3)).rejects.toEqual(
      code('below-reserved', { sku: 'edge', reserved: 3 }),
    )
    await expect(adjust('edge', mostUnits)).rejects.toEqual(
      code('too-many-units', { sku: 'edge', onHand: 5 }),
    )
    expect((await adjust('edge', -2)).available).toBe(0)
    expect((await adjust('edge', mostUnits - 3)).available).toBe(mostUnits - 3)
    expect((await merchant.adjustments({ sku: 'edge' })).items).toHaveLength(2)
  })

  test.each([0, 0.5, mostUnits + 1, -mostUnits - 1, Number.NaN])(
    'by %d is refused',
    async (delta) => {
      await expect(adjust('edge', delta)).rejects.toEqual(code('invalid-input'))
    },
  )

  test('says why', async () => {
    for (const reason of ['', 'x'.repeat(201)])
      await expect(adjust('edge', 1, reason)).rejects.toEqual(code('invalid-input'))
  })

  test('is made and seen by merchants only', async () => {
    const customer = system.client(inventory, { kind: 'user', id: 'u', roles: [], session: 's' })
    await expect(adjust('edge', 1, 'Mine', customer)).rejects.toEqual(code('forbidden'))
    await expect(customer.adjustments({ sku: 'edge' })).rejects.toEqual(code('forbidden'))
    const visitor = system.client(inventory, { kind: 'anonymous' })
    await expect(visitor.adjustments({ sku: 'edge' })).rejects.toEqual(code('unauthenticated'))
  })
})

describe('the same key', () => {
  const call = (key: string | undefined, input: unknown, caller: typeof ada = ada) =>
    system.link.call({
      contract: 'inventory',
      operation: 'adjust',
      input,
      caller,
      key,
      deadline: env.now() + 5_000,
      signal: new AbortController().signal,
      trace: { correlationId: 'test' },
      strict: true,
      target: 'inventory.adjust',
      repeatable: true,
    })
  const replyOf = async (...parts: Parameters<typeof call>) => {
    const { remembered } = await call(...parts)
    return remembered && { status: remembered.status, text: String(remembered.body) }
  }

  test('repeats the same bytes, and adjusts once', async () => {
    await merchant.count({ sku: 'keyed', onHand: 10 })
    const input = { sku: 'keyed', delta: -10, reason: 'Sold at a fair' }
    const first = await replyOf('fair', input)
    expect(first?.status).toBe(201)
    await env.advance(60_000)
    // By now it would take units that are not there.
    expect(await replyOf('fair', input)).toEqual(first)
    await merchant.count({ sku: 'keyed', onHand: 50 })
    expect(await replyOf('fair', input)).toEqual(first)
    expect(await level('keyed')).toBe(50)
    await expect(call('fair', { ...input, delta: -9 })).rejects.toEqual(
      code('idempotency-key-reused'),
    )
    await expect(call(undefined, input)).rejects.toEqual(code('idempotency-key-missing'))
    await replyOf('fair', input, { ...ada, id: 'eve' } as unknown as typeof ada)
    expect(await level('keyed')).toBe(40)
    expect((await merchant.adjustments({ sku: 'keyed' })).items).toHaveLength(2)
  })

  test('of many calls at once adjusts once, also when there is only enough for one', async () => {
    await merchant.count({ sku: 'burst', onHand: 10 })
    const input = { sku: 'burst', delta: -7, reason: 'Once' }
    const replies = await Promise.all(Array.from({ length: 12 }, () => replyOf('burst', input)))
    expect(new Set(replies.map((reply) => reply?.text)).size).toBe(1)
    expect(await level('burst')).toBe(3)
    expect((await merchant.adjustments({ sku: 'burst' })).items).toHaveLength(1)
  })

  test('may be used again after a failure', async () => {
    await merchant.count({ sku: 'failed', onHand: 1 })
    const input = { sku: 'failed', delta: -2, reason: 'Too early' }
    await expect(call('early', input)).rejects.toEqual(code('below-reserved'))
    await merchant.count({ sku: 'failed', onHand: 2 })
    expect((await replyOf('early', input))?.status).toBe(201)
    expect(await level('failed')).toBe(0)
  })
})

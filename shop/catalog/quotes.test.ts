import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from 'serval'
import { pglite } from 'serval/engines/pglite'
import type { SqlServer } from 'serval/engines/sql'
import { eventually, manualEnv, startTestServices, type TestServices } from 'serval/testing'
import { catalog } from './contract.ts'
import { catalogService } from './service.ts'

/* A quote reads the database for prices that are not known yet, once for all of them, and never answers an old one. */

const server = pglite({})
const env = manualEnv()
/** SKUs of each query for prices. */
const asked: (readonly string[])[] = []
/** What a query for prices waits for when it has been answered. */
let held: Promise<void> | undefined
let system: TestServices
let visitor: Client<typeof catalog>
let merchant: Client<typeof catalog>

const watched: SqlServer = {
  name: server.name,
  exclusive: server.exclusive,
  close: () => server.close(),
  open: async (service) => {
    const database = await server.open(service)
    return {
      ...database,
      read: (work) =>
        database.read((session) =>
          work({
            ...session,
            query: async (text, values) => {
              const prices = text.includes('select sku, amount')
              if (prices) asked.push([values?.[0]].flat().map(String))
              const rows = await session.query(text, values)
              if (prices) await held
              return rows as never
            },
          }),
        ),
    }
  },
}

beforeAll(async () => {
  system = await startTestServices({ services: [catalogService], server: watched, env })
  visitor = system.client(catalog, { kind: 'anonymous' })
  merchant = system.client(catalog, { kind: 'user', id: 'm', roles: ['merchant'], session: 's' })
})
afterAll(() => system?.end())

const pounds = (amount: number) => ({ amount, currency: 'GBP' })
const create = (sku: string, amount = 100) =>
  merchant.create({ sku, name: sku, price: pounds(amount), category: 'Quoted' })
const quote = (...skus: readonly string[]) =>
  visitor.quote({ lines: skus.map((sku) => ({ sku, quantity: 1 })) })
const totalOf = async (...skus: readonly string[]) => (await quote(...skus)).total.amount
/** The queries for prices of some calls. */
const queriesOf = async (work: () => Promise<unknown>) => {
  const before = asked.length
  await work()
  return asked.slice(before)
}

describe('a quote', () => {
  test('asks once for all prices that it does not know, and not again', async () => {
    for (const [n, sku] of ['a', 'b', 'c', 'd e'].entries()) await create(sku, 1 + n)
    expect(await queriesOf(() => quote('a', 'b'))).toEqual([['a', 'b']])
    expect(await queriesOf(() => quote('b', 'a', 'b'))).toEqual([])
    expect(
      await queriesOf(async () => expect(await totalOf('a', 'd e', 'b', 'c')).toBe(10)),
    ).toEqual([['d e', 'c']])
  })

  test('has the price of the last change, and asks for no other anew', async () => {
    await create('changing', 100)
    await create('staying', 1)
    for (let amount = 200; amount < 205; amount++) {
      await quote('changing', 'staying')
      await merchant.amend({ sku: 'changing', price: { amount } })
      const queries = await queriesOf(async () =>
        expect(await totalOf('changing', 'staying')).toBe(amount + 1),
      )
      expect(queries).toEqual([['changing']])
    }
  })

  test('that began before a change leaves no old price behind', async () => {
    await create('meanwhile', 100)
    const { promise, resolve } = Promise.withResolvers<void>()
    held = promise
    const before = asked.length
    const early = totalOf('meanwhile')
    await eventually(() => asked.length > before, 'the early quote to read its price')
    await merchant.amend({ sku: 'meanwhile', price: { amount: 300 } })
    held = undefined
    // Whoever asks after the change does not join the one who asked before.
    expect(await totalOf('meanwhile')).toBe(300)
    resolve()
    expect(await early).toBe(100)
    expect(await totalOf('meanwhile')).toBe(300)
  })

  test('remembers nothing of what does not exist, or exists no more', async () => {
    const unknown = expect.objectContaining({ code: 'unknown-sku', data: { skus: ['late'] } })
    await expect(quote('late')).rejects.toEqual(unknown)
    await create('late', 5)
    expect(await totalOf('late')).toBe(5)
    await merchant.withdraw({ sku: 'late' })
    await expect(quote('late')).rejects.toEqual(unknown)
    await create('late', 6)
    expect(await totalOf('late')).toBe(6)
  })

  test('takes no price that is older than 10 s, should a change go unheard', async () => {
    await create('aging', 1)
    await quote('aging')
    const { script } = await server.open('catalog')
    await script(`update product set amount = 2 where sku = 'aging'`)
    await env.advance(9_999)
    expect(await totalOf('aging')).toBe(1)
    await env.advance(1)
    expect(await totalOf('aging')).toBe(2)
  })

  test('of 1,200 lines is one query', async () => {
    const skus = Array.from({ length: 1_200 }, (_, n) => `many-${n}`)
    const { transaction } = await server.open('catalog')
    await transaction(async (session) =>
      session.write(
        `insert into product (sku, name, description, amount, currency, category, attributes, search)
         select sku, sku, '', 2, 'GBP', 'Many', '{}', sku from unnest($1::text[]) as sku`,
        [skus],
      ),
    )
    expect(await queriesOf(async () => expect(await totalOf(...skus)).toBe(2_400))).toHaveLength(1)
    expect(await queriesOf(() => quote(...skus))).toEqual([])
  })
})

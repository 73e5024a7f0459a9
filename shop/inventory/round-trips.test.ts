import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client } from 'serval'
import { pglite } from 'serval/engines/pglite'
import type { SqlServer, SqlSession } from 'serval/engines/sql'
import { startTestServices, type TestServices } from 'serval/testing'
import { inventory } from './contract.ts'
import { inventoryService } from './service.ts'

/* Every order reserves and commits: how often they go to the database is a budget. */

const server = pglite({})
let statements: string[] = []
/** Queries that a step waits for; its writes go with the commit. */
let waits = 0

const counting = (session: SqlSession): SqlSession => ({
  query: (text, values) => {
    statements.push(text)
    waits += 1
    return session.query(text, values)
  },
  write: (text, values, guard) => {
    statements.push(text)
    session.write(text, values, guard)
  },
  writeRows: (rows) => {
    statements.push(rows.text)
    session.writeRows(rows)
  },
})

const counted: SqlServer = {
  name: server.name,
  exclusive: server.exclusive,
  close: () => server.close(),
  open: async (service) => {
    const database = await server.open(service)
    return {
      script: (text) => database.script(text),
      read: (work) => database.read((session) => work(counting(session))),
      transaction: (work) => database.transaction((session) => work(counting(session))),
    }
  },
}

let system: TestServices
let orders: Client<typeof inventory>
beforeAll(async () => {
  system = await startTestServices({ services: [inventoryService], server: counted })
  orders = system.client(inventory, { kind: 'service', name: 'orders' })
})
afterAll(() => system?.end())

/** What a call costs: statements of ours, and queries whose answer was waited for. */
const costOf = async (call: () => Promise<unknown>) => {
  statements = []
  waits = 0
  await call()
  return { statements: statements.filter((text) => !text.includes('serval_')).length, waits }
}

test('an order is reserved and committed without waiting for a query', async () => {
  const skus = ['a', 'b', 'c']
  await orders.provide({ counts: skus.map((sku) => ({ sku, onHand: 10 })) })
  const lines = skus.map((sku) => ({ sku, quantity: 1 }))
  expect(await costOf(() => orders.reserve({ orderId: '1', lines }))).toEqual({
    statements: 3,
    waits: 0,
  })
  // The reservation is read before the step, together with others'.
  expect(await costOf(() => orders.commit({ orderId: '1' }))).toEqual({ statements: 4, waits: 1 })
  expect(await costOf(() => orders.release({ orderId: '1' }))).toEqual({ statements: 5, waits: 1 })
})

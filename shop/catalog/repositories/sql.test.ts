import { expect, test } from 'vitest'
import { pglite } from 'serval/engines/pglite'
import { GuardFailed, type SqlDatabase } from 'serval/engines/sql'
import type { Products } from '../repository.ts'
import { products } from './sql.ts'

const product = {
  sku: 'A',
  name: 'Cup',
  description: '',
  price: { amount: 1, currency: 'GBP' },
  category: 'Tableware',
  attributes: {},
}

/** Runs a transaction on the catalog's own tables. */
const stepOn =
  (database: SqlDatabase) =>
  <T>(work: (repository: Products) => Promise<T>): Promise<T> =>
    database.transaction((session) => work(products.open({ ...session, touch: () => undefined })))

test('a version is of one state of one product: never the one of a product before it', async () => {
  const server = pglite({})
  const database = await server.open('catalog')
  // A product from before there were versions.
  const [first, ...later] = products.migrations
  await database.script(first?.sql ?? '')
  await database.script(`insert into product values ('A', '', '', 1, 'GBP', '', '{}', '')`)
  for (const { sql } of later) await database.script(sql)
  const step = stepOn(database)
  const seen = new Set<number>()
  const look = () =>
    step(async (repository) => {
      const version = (await repository.load('A'))?.version
      expect(version).toBeDefined()
      seen.add(version ?? -1)
      return version ?? -1
    })
  for (let round = 0; round < 3; round++) {
    const version = await look()
    await step(async (repository) => repository.save(product, version))
    const stale = await step(async (repository) => repository.save(product, version)).catch(
      (error: unknown) => error,
    )
    expect(stale).toBeInstanceOf(GuardFailed)
    const changed = await look()
    await step(async (repository) => repository.remove('A', changed))
    await step(async (repository) => repository.add(product))
    for (const old of seen)
      expect(
        await step(async (repository) => repository.remove('A', old)).catch(() => 'refused'),
      ).toBe('refused')
  }
  await look()
  expect(seen.size).toBe(7)
  await server.close()
})

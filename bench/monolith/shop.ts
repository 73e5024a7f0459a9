import { accountsOf, type Accounts } from './accounts.ts'
import { catalogOf, type Catalog } from './catalog.ts'
import { openDatabase } from './database.ts'
import { ordersOf, type Orders } from './orders.ts'
import { createTables } from './tables.ts'
import { workerOf } from './worker.ts'

export interface Shop {
  readonly accounts: Accounts
  readonly catalog: Catalog
  readonly orders: Orders
}

const setting = (name: string): string => {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set`)
  return value
}

/** The monolith behind whichever web framework: its own empty database, its worker, its merchant. */
export const openShop = async (): Promise<Shop> => {
  const database = await openDatabase(setting('DATABASE_URL'))
  await createTables(database)
  const accounts = await accountsOf(database)
  const merchant = { email: 'merchant@shop.test', password: 'serval-demo', name: 'Morgan Merchant' }
  await accounts.register(merchant, ['merchant'])
  const worker = workerOf(database, setting('MAILBOX'))
  void worker.run()
  return { accounts, catalog: catalogOf(database), orders: ordersOf(database, worker.wake) }
}

/** Tells the bench where it listens. */
export const listening = (port: number): void => void process.stdout.write(`listening ${port}\n`)

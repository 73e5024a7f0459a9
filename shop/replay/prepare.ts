import { ServalError } from 'serval'
import { ProductExists } from '../catalog/contract.ts'
import { Complaint } from './complaint.ts'
import { inParallel } from './pace.ts'
import type { PlannedCustomer, PlannedProduct } from './plan.ts'
import type { Progress } from './progress.ts'
import { Session, type SessionOptions } from './session.ts'

export interface PrepareOptions {
  readonly concurrency: number
  readonly progress: Progress
}

const currency = 'GBP'

/** Adds the products that are not there; those that are must cost what the file says. */
export const addProducts = async (
  products: readonly PlannedProduct[],
  merchant: Session,
  { concurrency, progress }: PrepareOptions,
): Promise<void> => {
  const phase = progress.phase('products', products.length)
  let there = 0
  await inParallel(products, concurrency, async ({ sku, name, priceMinor }) => {
    const price = { amount: priceMinor, currency }
    const product = { sku, name, price, category: 'Online Retail' }
    try {
      await merchant.call((shop) => shop.catalog.create(product))
    } catch (error) {
      if (!(error instanceof ServalError) || error.code !== ProductExists.code) throw error
      const found = await merchant.call((shop) => shop.catalog.product({ sku }))
      const { amount, currency: other } = found.price
      if (amount !== price.amount || other !== currency)
        throw new Complaint(
          `The shop sells ${sku} for ${amount} ${other}; the file’s median is ${price.amount} ` +
            `${currency} (minor units). Use a fresh shop: the sums could not be checked.`,
        )
      there += 1
    }
    phase.done()
  })
  phase.end(there === 0 ? 'added' : `added, ${there} of them before`)
}

/** Sets the stock to exactly what the orders need. */
export const setStock = async (
  products: readonly PlannedProduct[],
  merchant: Session,
  { concurrency, progress }: PrepareOptions,
): Promise<void> => {
  const phase = progress.phase('stock', products.length)
  await inParallel(products, concurrency, async ({ sku, quantity }) => {
    await merchant.call((shop) => shop.inventory.count({ sku, onHand: quantity }))
    phase.done()
  })
  phase.end('set')
}

/** Opens an account for each customer, or signs in where there is one. */
export const openAccounts = async (
  customers: readonly PlannedCustomer[],
  password: string,
  sessions: SessionOptions,
  { concurrency, progress }: PrepareOptions,
): Promise<ReadonlyMap<string, Session>> => {
  const phase = progress.phase('customers', customers.length)
  const opened = new Map<string, Session>()
  await inParallel(customers, concurrency, async ({ email, name }) => {
    opened.set(email, await Session.open({ email, name, password }, sessions))
    phase.done()
  })
  phase.end('signed in')
  return opened
}

import type { Connect, System } from 'serval/host'
import { accounts } from './accounts/contract.ts'
import { accountsService } from './accounts/service.ts'
import { acquirerService } from './acquirer/service.ts'
import { analyticsService } from './analytics/service.ts'
import { catalog } from './catalog/contract.ts'
import { demoProducts } from './catalog/demo-products.ts'
import { catalogService } from './catalog/service.ts'
import { demoAccounts, demoPassword } from './demo-accounts.ts'
import { inventory } from './inventory/contract.ts'
import { inventoryService } from './inventory/service.ts'
import { notificationsService } from './notifications/service.ts'
import { ordersService } from './orders/service.ts'
import { paymentsService } from './payments/service.ts'

/** A complete commerce back end: eight services, each with a business and a database of its own. */
export const shop: System = {
  name: 'shop',
  title: 'The shop',
  version: '1',
  services: [
    accountsService,
    catalogService,
    inventoryService,
    ordersService,
    paymentsService,
    acquirerService,
    notificationsService,
    analyticsService,
  ],
  seed: async (connect) => {
    await Promise.all([
      addProducts(connect),
      connect(inventory).provide({
        counts: demoProducts.map(({ sku, onHand }) => ({ sku, onHand })),
      }),
      ...demoAccounts.map((account) =>
        connect(accounts).provide({ ...account, password: demoPassword }),
      ),
    ])
  },
}

/** One product a step; at later starts only a look at the last one. */
const addProducts = async (connect: Connect): Promise<void> => {
  const { product, provide } = connect(catalog)
  const last = demoProducts.at(-1)?.sku ?? ''
  const there = await product({ sku: last }).then(
    () => true,
    () => false,
  )
  if (there) return
  for (const { priceMinor, onHand: _, ...facts } of demoProducts)
    await provide({ product: { ...facts, price: { amount: priceMinor, currency: 'GBP' } } })
}

import type { System } from 'serval/host'
import { accounts } from './accounts/contract.ts'
import { accountsService } from './accounts/service.ts'
import { acquirerService } from './acquirer/service.ts'
import { catalog } from './catalog/contract.ts'
import { demoProducts } from './catalog/demo-products.ts'
import { catalogService } from './catalog/service.ts'
import { demoAccounts, demoPassword } from './demo-accounts.ts'
import { inventory } from './inventory/contract.ts'
import { inventoryService } from './inventory/service.ts'
import { notificationsService } from './notifications/service.ts'
import { ordersService } from './orders/service.ts'
import { paymentsService } from './payments/service.ts'

/** A complete commerce back end: seven services, each with a business and a database of its own. */
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
  ],
  seed: async (connect) => {
    const products = demoProducts.map(({ priceMinor, onHand: _, ...product }) => ({
      ...product,
      price: { amount: priceMinor, currency: 'GBP' },
    }))
    await Promise.all([
      connect(catalog).provide({ products }),
      connect(inventory).provide({ counts: demoProducts.map(({ sku, onHand }) => ({ sku, onHand })) }),
      ...demoAccounts.map((account) => connect(accounts).provide({ ...account, password: demoPassword })),
    ])
  },
}

import type { Role } from './accounts/contract.ts'

/** The accounts of development setups. */
export const demoPassword = 'serval-demo'

export const demoAccounts: readonly { email: string; name: string; roles: Role[] }[] = [
  { email: 'customer@shop.test', name: 'Casey Customer', roles: [] },
  { email: 'merchant@shop.test', name: 'Morgan Merchant', roles: ['merchant'] },
  { email: 'admin@shop.test', name: 'Alex Admin', roles: ['admin', 'merchant'] },
]

/** The accounts of development setups. */
export const demoPassword = 'serval-demo'

export const demoAccounts = [
  { email: 'customer@shop.test', name: 'Casey Customer', roles: [] },
  { email: 'merchant@shop.test', name: 'Morgan Merchant', roles: ['merchant'] },
  { email: 'admin@shop.test', name: 'Alex Admin', roles: ['admin', 'merchant'] },
]

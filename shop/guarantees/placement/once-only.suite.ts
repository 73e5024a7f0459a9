import type { Contract } from 'serval'
import { accounts } from '../../accounts/contract.ts'
import { catalog } from '../../catalog/contract.ts'
import { anonymous, merchant, userOf } from './stage.suite.ts'

const me = userOf('somebody')
const email = 'once@example.org'
const password = 'correct horse'
const product = {
  sku: 'ONCE',
  name: 'Once',
  price: { amount: 1, currency: 'GBP' },
  category: 'Tests',
}

/** A call of each command that nothing makes harmless to repeat. */
export const onceOnly = [
  [accounts, 'register', anonymous, { email, password, name: 'Once' }],
  [accounts, 'login', anonymous, { email, password }],
  [accounts, 'refresh', anonymous, { refreshToken: 'none' }],
  [accounts, 'endSession', me, { id: 'none' }],
  [accounts, 'changePassword', me, { currentPassword: password, newPassword: password }],
  [accounts, 'resetPassword', anonymous, { token: 'none', password }],
  [catalog, 'create', merchant, product],
  [catalog, 'amend', merchant, { sku: 'ONCE', name: 'Twice' }],
  [catalog, 'withdraw', merchant, { sku: 'ONCE' }],
] as const satisfies readonly (readonly [Contract, ...unknown[]])[]

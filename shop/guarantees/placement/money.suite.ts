import { acquirer } from '../../acquirer/contract.ts'
import { payments } from '../../payments/contract.ts'
import { askRaw, operator, other, refused, userOf, type Stage } from './stage.suite.ts'

const amount = { amount: 9_007_199_254_740_991, currency: 'GBP' }

export const moneyScript = async (stage: Stage): Promise<void> => {
  const bank = stage.client(acquirer, other)
  const charge = (reference: string, token: string) => bank.charge({ reference, amount, token })
  await charge('c-1', 'tok_ok')
  await charge('c-1', 'tok_ok')
  await refused('charge-declined', charge('c-2', 'tok_declined'))
  await bank.voidCharge({ reference: 'c-1' })
  await bank.voidCharge({ reference: 'c-3' })
  await refused('charge-voided', charge('c-3', 'tok_ok'))
  await refused(
    'acquirer-down',
    askRaw(stage, acquirer, 'charge', other, { reference: 'c-4', amount, token: 'tok_flaky' }),
  )
  await stage.client(acquirer, operator).audit({})

  const money = stage.client(payments, other)
  const capture = (orderId: string, token: string) => money.capture({ orderId, amount, token })
  await capture('p-1', 'tok_ok')
  await capture('p-1', 'tok_ok')
  await refused('payment-declined', capture('p-2', 'tok_declined'))
  await refused('payment-declined', capture('p-2', 'tok_ok'))
  await money.refund({ orderId: 'p-1' })
  await money.refund({ orderId: 'p-3' })
  await refused('payment-refused', capture('p-3', 'tok_ok'))
  await stage.client(payments, operator).audit({})
  await refused('forbidden', stage.client(payments, userOf('somebody')).refund({ orderId: 'p-1' }))
}

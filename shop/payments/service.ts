import { rfc3339, ServalError, service } from 'serval'
import { acquirer, ChargeDeclined, ChargeVoided } from '../acquirer/contract.ts'
import { PaymentRefused, payments } from './contract.ts'
import { captureAnswer, type Captured } from './payment.ts'
import { payments as paymentRepository, type Sum } from './repository.ts'

/** The acquirer's refusals in our words. Whatever else went wrong leaves the outcome open and is passed on as it is. */
const refusal = (error: unknown): Captured => {
  const code = error instanceof ServalError ? error.code : undefined
  if (code === ChargeDeclined.code) return { status: 'declined' }
  if (code === ChargeVoided.code) throw PaymentRefused(undefined)
  throw error
}

const view = ({ payments: count, amounts }: Sum) => ({ payments: count, amounts: [...amounts] })

/**
 * Charges orders and gives their money back. The acquirer is asked outside of the step, at least once, with the order's
 * id as the stable reference; its own tombstone refuses a charge that arrives after the refund.
 */
export const paymentsService = service(payments, {
  uses: { acquirer },
  repositories: { payments: paymentRepository },
  operations: {
    async capture({ orderId, amount, token }, { uses, read, step }) {
      const before = await read((r) => r.payments.find(orderId))
      if (before !== undefined) return captureAnswer(before)
      const outcome = await uses.acquirer
        .charge({ reference: orderId, amount, token })
        .then(
          ({ chargeId }): Captured => ({ status: 'captured', reference: chargeId, amount }),
          refusal,
        )
      let first = true
      const payment = await step(async (s) => {
        const at = rfc3339(s.env.now())
        if (!first) return s.payments.record(orderId, outcome, at)
        first = false
        s.payments.add(orderId, outcome, at)
        return outcome
      })
      // A decline is thrown out here, so that the step which records it commits.
      return captureAnswer(payment)
    },
    async refund({ orderId }, { uses, step }) {
      // Asked whatever our row says: a capture whose outcome we never heard may have charged.
      const { refunded, amount } = await uses.acquirer.voidCharge({ reference: orderId })
      return step(async (s) => ({
        refunded: await s.payments.refund(orderId, { refunded, amount }, rfc3339(s.env.now())),
      }))
    },
    async audit(_, { read }) {
      const { captured, refunded } = await read((r) => r.payments.sums())
      return { captured: view(captured), refunded: view(refunded) }
    },
  },
})

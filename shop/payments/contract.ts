import { command, contract, get, problem, query } from 'serval'
import { z } from 'zod'
import { Money } from '../money.ts'

export const PaymentDeclined = problem('payment-declined', {
  kind: 'unprocessable',
  title: 'The card was declined',
})
/** The order was refunded before: it cannot be charged any more. */
export const PaymentRefused = problem('payment-refused', {
  kind: 'conflict',
  title: 'The order was refunded; it is not charged',
})

const OrderId = z.string().min(1).max(64)

export const payments = contract('payments', {
  operations: {
    capture: command({
      summary: 'Charges an order once',
      access: 'internal',
      repeat: 'natural',
      deadline: '10s',
      input: z.object({ orderId: OrderId, amount: Money, token: z.string().min(1).max(200) }),
      output: z.object({ reference: z.string() }),
      problems: [PaymentDeclined, PaymentRefused],
    }),
    refund: command({
      summary: 'Gives back what an order was charged, and refuses a later charge',
      access: 'internal',
      repeat: 'natural',
      input: z.object({ orderId: OrderId }),
      output: z.object({ refunded: z.boolean() }),
    }),
    audit: query({
      summary: 'Money captured and refunded',
      access: 'operator',
      http: get('/operator/v1/payments'),
      input: z.object({}),
      output: z.object({
        captured: z.object({ payments: z.int(), amounts: z.array(Money) }),
        refunded: z.object({ payments: z.int(), amounts: z.array(Money) }),
      }),
    }),
  },
})

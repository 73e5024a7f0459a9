import { command, contract, get, post, problem, query } from 'serval'
import { z } from 'zod'
import { Money } from '../money.ts'

/*
 * The payment provider's side, as a contract: what a card acquirer's API offers. The shop comes with a built-in one for
 * development; a real one takes its place behind the same contract (SERVAL_ACQUIRER_URL), and is called by the bindings.
 */

export const ChargeDeclined = problem('charge-declined', {
  kind: 'unprocessable',
  title: 'The card was declined',
})
export const ChargeVoided = problem('charge-voided', {
  kind: 'conflict',
  title: 'This charge was voided before',
})
export const AcquirerDown = problem('acquirer-down', {
  kind: 'unavailable',
  title: 'The acquirer could not process the charge now',
  retryable: true,
})

export const acquirer = contract('acquirer', {
  operations: {
    charge: command({
      summary: 'Charges a card once per reference',
      access: 'internal',
      repeat: 'natural',
      http: post('/charges', { status: 201 }),
      deadline: '10s',
      input: z.object({
        reference: z.string().min(1).max(64),
        amount: Money,
        token: z.string().min(1).max(200),
      }),
      output: z.object({ chargeId: z.string() }),
      problems: [ChargeDeclined, ChargeVoided, AcquirerDown],
    }),
    voidCharge: command({
      summary: 'Gives back a charge, and refuses a later one of this reference',
      access: 'internal',
      repeat: 'natural',
      http: post('/charges/:reference/void'),
      input: z.object({ reference: z.string().min(1).max(64) }),
      /** The amount: what went back, where the acquirer says so. */
      output: z.object({ refunded: z.boolean(), amount: Money.optional() }),
    }),
    audit: query({
      summary: 'What was charged, as the acquirer’s statement says',
      access: 'operator',
      http: get('/operator/v1/acquirer'),
      input: z.object({}),
      output: z.object({
        charges: z.int(),
        charged: z.array(Money),
        refunds: z.int(),
        /** Charges of a reference beyond the first: always 0. */
        doubled: z.int(),
      }),
    }),
  },
})

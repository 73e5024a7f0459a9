import { z } from 'zod'
import type { OrderStep } from './parts.ts'

/*
 * When somebody is erased, the addresses leave that user's orders, one order a step; what was bought and paid stays, under an id that names nobody any more.
 *
 * An access token that was given out before may still place an order for ten minutes. So a second round goes over the orders when no such token is valid any
 * more, by whichever clock. The replies that are remembered under idempotency keys hold addresses, too: they go with the second round, for until then an order
 * may be repeated under its key, and must not be placed twice.
 */

const lateMs = 15 * 60_000

export const forgetAddresses = 'forget-addresses'

/** Of one round: whose orders, and those after which are left. */
export const Round = z.object({
  key: z.string(),
  customerId: z.string(),
  after: z.string(),
  late: z.boolean().default(false),
})
type Round = z.output<typeof Round>

const schedule = (step: OrderStep, round: Round, at: number) =>
  step.schedule(forgetAddresses, { key: round.key, at, data: round })

/** Sets both rounds. */
export const forgetCustomer = (step: OrderStep, customerId: string, erasedAt: number): void => {
  const round = { customerId, after: '' }
  schedule(step, { ...round, key: customerId, late: false }, step.env.now())
  schedule(step, { ...round, key: `${customerId} late`, late: true }, erasedAt + lateMs)
}

/** Takes the address off the next order, and has the job go on until none is left. */
export const forgetNext = async (step: OrderStep, round: Round): Promise<void> => {
  if (round.late && round.after === '') step.forgetReplies(round.customerId)
  const id = await step.orders.addressed(round.customerId, round.after)
  if (id === undefined) return
  step.orders.forgetAddress(id)
  schedule(step, { ...round, after: id }, step.env.now())
}

import { z } from 'zod'
import type { OrderStep } from './parts.ts'

/*
 * When somebody is erased, the addresses leave that user's orders, one order a step; what was bought and paid stays, under an id that names nobody any more.
 *
 * An access token that was given out before may still place an order for ten minutes. So a second round goes over the orders when no such token is valid any
 * more, by whichever clock.
 */

const lateMs = 15 * 60_000

export const forgetAddresses = 'forget-addresses'

/** Of one round: whose orders, and those after which are left. */
export const Round = z.object({ key: z.string(), customerId: z.string(), after: z.string() })
type Round = z.output<typeof Round>

const schedule = (step: OrderStep, round: Round, at: number) =>
  step.schedule(forgetAddresses, { key: round.key, at, data: round })

/** Sets both rounds. */
export const forgetCustomer = (step: OrderStep, customerId: string, erasedAt: number): void => {
  schedule(step, { key: customerId, customerId, after: '' }, step.env.now())
  schedule(step, { key: `${customerId} late`, customerId, after: '' }, erasedAt + lateMs)
}

/** Takes the address off the next order, and has the job go on until none is left. */
export const forgetNext = async (step: OrderStep, round: Round): Promise<void> => {
  const id = await step.orders.addressed(round.customerId, round.after)
  if (id === undefined) return
  step.orders.forgetAddress(id)
  schedule(step, { ...round, after: id }, step.env.now())
}

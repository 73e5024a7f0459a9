import type { Step } from 'serval'
import type { reservationRepository, stockRepository } from './repository.ts'
import { summed } from './reservation.ts'

/** Reservations a step: few enough that the locks on their stock are short. */
const batch = 100

type InventoryStep = Step<{
  stock: typeof stockRepository
  reservations: typeof reservationRepository
}>

/**
 * Gives back the units of reservations whose time is over. When there may be more of them, has a
 * job go on at once.
 */
export const expireSome = async (step: InventoryStep): Promise<void> => {
  const { stock, reservations, env } = step
  const expired = await reservations.lockExpired(env.now(), batch)
  reservations.settle(
    expired.map(({ orderId }) => orderId),
    'released',
  )
  stock.move(summed(expired.flatMap(({ lines }) => lines)), { onHand: 0, reserved: -1 })
  if (expired.length < batch) return
  // A key of its own: the job that runs now is deleted with this step.
  step.schedule('expire-more-reservations', { key: env.id(), at: env.now() })
}

import type { Context, Step } from 'serval'
import { catalog } from '../catalog/contract.ts'
import { inventory } from '../inventory/contract.ts'
import { payments } from '../payments/contract.ts'
import { orderRepository } from './repository.ts'

/** What the handlers of orders work with. */
export const parts = {
  uses: { catalog, inventory, payments },
  repositories: { orders: orderRepository },
}

export type OrderContext = Context<
  typeof parts.uses,
  typeof parts.repositories,
  Record<never, never>
>
export type OrderStep = Step<typeof parts.repositories>

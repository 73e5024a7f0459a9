import { rfc3339 } from 'serval'
import type { z } from 'zod'
import type { StatusChange } from './contract.ts'
import { stateView, type OrderRecord, type OrderState } from './order.ts'

/*
 * An order's history is kept with the order and written by the same statement as the state, so that a client which was away, or reads through another host, is
 * told every change of status, in order.
 */

export type Change = z.output<typeof StatusChange>

/** The change that gave an order this state and version, at `at` (milliseconds). */
export const changeOf = (version: number, state: OrderState, at: number): Change => ({
  id: version,
  ...stateView(state),
  at: rfc3339(at),
})

const forward = ['placed', 'reserved', 'paid', 'confirmed'] as const

/** The statuses that lead to a state: of version 1, 2, and so on. */
const wayTo = (state: OrderState, version: number): readonly Omit<Change, 'id' | 'at'>[] => {
  const steps = (count: number) => forward.slice(0, count).map((status) => ({ status }))
  if (state.status === 'cancelling') return [...steps(version - 1), stateView(state)]
  if (state.status !== 'cancelled') return steps(version)
  const { reason } = state
  return [...steps(version - 2), { status: 'cancelling', reason }, stateView(state)]
}

/**
 * Every change of an order's status, from the first. What a release without histories did was not noted; but state and version tell which way the order has come,
 * and the time is taken from the last one that is known.
 */
export const completed = (
  noted: readonly Change[],
  { state, version, placedAt }: Pick<OrderRecord, 'state' | 'version' | 'placedAt'>,
): readonly Change[] => {
  if (noted.length === version) return noted
  const known = new Map(noted.map((change) => [change.id, change]))
  const changes: Change[] = []
  for (const [index, step] of wayTo(state, version).entries()) {
    const id = index + 1
    const reservedAt =
      state.status === 'reserved' && id === 2 ? rfc3339(state.reservedAt) : undefined
    const at = reservedAt ?? changes.at(-1)?.at ?? rfc3339(placedAt)
    changes.push(known.get(id) ?? { id, ...step, at })
  }
  return changes
}

import { failure } from 'serval'
import type { Change } from './history.ts'
import { isFinal } from './order.ts'
import type { OrderContext } from './parts.ts'

/** Which change a client has seen, by its id. Throws `invalid-input` for one that the order has not come to. */
export const seenOf = (after: string | undefined, history: readonly Change[]): number => {
  const seen = after === undefined ? 0 : Number(after)
  if (seen <= (history.at(-1)?.id ?? 0)) return seen
  const message = 'The order has not come to a change with this id'
  throw failure('invalid-input', `/after: ${message}`, {
    data: { errors: [{ pointer: '/after', message }] },
  })
}

/** The changes of an order's status after one that was seen, as they happen, until the last. */
export async function* changesAfter(
  orderId: string,
  seen: number,
  { changes, read }: Pick<OrderContext, 'changes' | 'read'>,
): AsyncGenerator<Change> {
  let last = seen
  for await (const _ of changes(orderId)) {
    const { history } = (await read((r) => r.orders.progress(orderId))) ?? { history: [] }
    for (const change of history) {
      if (change.id <= last) continue
      yield change
      last = change.id
    }
    if (history.some(({ status }) => isFinal(status))) return
  }
}

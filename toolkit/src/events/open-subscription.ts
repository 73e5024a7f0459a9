import type { Position, Store, SubscriptionId } from '../store/store.ts'
import type { LogSource } from './log-source.ts'
import { partitionCount } from './partition.ts'

/** Registers a subscription with its publisher and opens its cursors; before its host serves. */
export const openSubscription = async (
  id: SubscriptionId,
  source: LogSource,
  store: Store,
  from: 'oldest' | 'now',
): Promise<void> => {
  const all = (position: (partition: number) => number): Position[] =>
    Array.from({ length: partitionCount }, (_, partition) => ({
      partition,
      position: position(partition),
    }))
  const heads =
    from === 'now'
      ? new Map((await source.heads()).map((at) => [at.partition, at.position]))
      : new Map<number, number>()
  const known = await store.subscriptions.open(
    id,
    all((partition) => heads.get(partition) ?? 0),
  )
  await source.report(id.subscription, known)
}

import { rfc3339 } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { Message } from '../../contract/index.ts'
import { partitionCount } from '../../events/partition.ts'
import { passedMessage, type EmittedEvent, type Log, type LogReaders } from '../../store/store.ts'

interface Partition {
  /** The position of the oldest message that is kept, or of the next one. */
  first: number
  readonly messages: Message[]
}

/** What a service published. */
export interface LogState {
  readonly partitions: readonly Partition[]
  /** Positions by subscription and partition. */
  readonly readers: Map<string, Map<number, number>>
}

export const emptyLog = (): LogState => ({
  partitions: Array.from({ length: partitionCount }, () => ({ first: 1, messages: [] })),
  readers: new Map(),
})

const headOf = ({ first, messages }: Partition) => first + messages.length - 1

const parsed = (json: string): unknown => JSON.parse(json)

const message = (source: string, event: EmittedEvent, position: number): Message => ({
  specversion: '1.0',
  id: event.id,
  source,
  type: event.type,
  subject: event.key,
  time: rfc3339(event.at),
  data: parsed(event.data),
  correlationid: event.correlationId,
  partition: event.partition,
  position,
})

const at = (state: LogState, partition: number): Partition => {
  const found = state.partitions[partition]
  if (found === undefined) throw failure('internal', `a log has no partition ${partition}`)
  return found
}

/** The last of a step, at once: it needs no rollback. */
export const publish = (state: LogState, source: string, events: readonly EmittedEvent[]): void => {
  for (const event of events) {
    const partition = at(state, event.partition)
    partition.messages.push(message(source, event, headOf(partition) + 1))
  }
}

export const memoryLog = (state: LogState, source: string): Log => ({
  read: async (after, limit, types) =>
    after
      .toSorted((a, b) => a.partition - b.partition)
      .flatMap(({ partition, position }) => {
        const { first, messages } = at(state, partition)
        if (position > 0 && position + 1 < first)
          throw failure(
            'cursor-too-old',
            `partition ${partition} of ${source}: asked from ${position + 1}, the log begins at ${first}`,
          )
        const from = Math.max(0, position + 1 - first)
        const all = messages.slice(from, from + limit)
        const found = all.flatMap((one, n) => {
          if (types === undefined || types.includes(one.type)) return one
          return n < all.length - 1 ? [] : passedMessage(source, one)
        })
        // A copy each: a reader may do with it what it likes.
        return structuredClone(found)
      }),
  heads: async () =>
    state.partitions.map((one, partition) => ({ partition, position: headOf(one) })),
  readers: readers(state),
})

const readers = ({ readers, partitions }: LogState): LogReaders => ({
  report: async (subscription, positions) => {
    const known = readers.get(subscription) ?? new Map<number, number>()
    readers.set(subscription, known)
    for (const { partition, position } of positions)
      known.set(partition, Math.max(known.get(partition) ?? 0, position))
  },
  list: async () =>
    [...readers]
      .flatMap(([subscription, known]) =>
        [...known].map(([partition, position]) => ({ subscription, partition, position })),
      )
      .sort((a, b) =>
        a.subscription === b.subscription
          ? a.partition - b.partition
          : a.subscription < b.subscription
            ? -1
            : 1,
      ),
  forget: async (subscription) => void readers.delete(subscription),
  prune: async (before) => {
    let pruned = 0
    for (const [partition, one] of partitions.entries()) {
      const passed = Math.min(
        ...[...readers.values()].map((known) => known.get(partition) ?? Infinity),
      )
      const kept = one.messages.findIndex(
        ({ time, position }) => Date.parse(time) >= before || position > passed,
      )
      const gone = one.messages.splice(0, kept < 0 ? one.messages.length : kept).length
      one.first += gone
      pruned += gone
    }
    return pruned
  },
})

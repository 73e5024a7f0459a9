import type { Env } from '../base/env.ts'
import { loop, type Loop } from '../base/loop.ts'
import type { Message } from '../contract/index.ts'
import type { Position, Store, SubscriptionId } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import type { Settlement } from './delivery.ts'
import { heldRetries } from './held-retries.ts'
import { laneWork } from './lane-work.ts'
import { isBusy, laneOf, type Lane } from './lane.ts'
import type { LogSource } from './log-source.ts'
import { pace } from './pace.ts'
import { partitionCount } from './partition.ts'
import { quiet } from '../base/quiet.ts'

/*
 * One subscription of one service to one publisher, as far as this host works on it. Each partition is a lane. Messages of different keys are
 * handled at the same time; their steps, which also move the cursor, commit in the order of the log, those that are ready together. What fails or
 * takes long moves to the held messages, so that it stops nobody but later messages of its own key, which append behind it. Held messages are
 * tried again from there.
 */

export interface SubscriberOptions {
  readonly env: Env
  readonly log: Logger
  readonly id: SubscriptionId
  readonly source: LogSource
  readonly store: Store
  /** This host's id, for claims. */
  readonly holder: string
  readonly owns: (partition: number) => boolean
  /** Of the messages that it handles. */
  readonly types: readonly string[]
  /** Runs the handler. If it makes no step, the subscriber settles the message by itself. */
  readonly deliver: (message: Message, settlement: Settlement, signal: AbortSignal) => Promise<void>
  /** How soon to look for messages without being woken; later while there are none. */
  readonly pollMs: number
  /** A message that takes longer is set aside, unless all take long. Default 100 ms. */
  readonly patienceMs?: number
}

export interface Subscriber {
  wake(): void
  stop(): Promise<void>
}

const readAhead = 64
/** How long the cursor may stay behind messages that nobody handles, while others are handled. */
const passMs = 100

/** Starts to read from where the cursors are; the subscription must have been opened (`openSubscription`). */
export const subscriber = (options: SubscriberOptions): Subscriber => {
  const { env, id, store, log } = options
  const lanes = new Map<number, Lane>()
  const stopping = new AbortController()
  const under = new Set<Promise<unknown>>()
  /** The held messages that this host is at work on. */
  const working = new Set<Position>()
  let reported = 0
  /** How often a held message was counted, in or out. */
  let counts = 0

  const track = (work: Promise<unknown>) => {
    under.add(work)
    void work.finally(() => under.delete(work)).catch(() => undefined)
  }
  const count = (lane: Lane, key: string, by: 1 | -1) => {
    counts += 1
    const total = (lane.held.get(key) ?? 0) + by
    if (total > 0) lane.held.set(key, total)
    else lane.held.delete(key)
  }
  /** A held message was handled; its lane may have been read again meanwhile. */
  const release = (message: Message): boolean => {
    const lane = lanes.get(message.partition)
    if (lane !== undefined) count(lane, message.subject, -1)
    return lane?.held.has(message.subject) === true
  }
  /** Takes over the lanes that are ours now, lets go of the others. */
  const assign = async () => {
    for (const lane of lanes.values())
      if (!isBusy(lane) && !options.owns(lane.partition)) lanes.delete(lane.partition)
    const gained = Array.from({ length: partitionCount }, (_, p) => p).filter(
      (p) => options.owns(p) && !lanes.has(p),
    )
    if (gained.length === 0) return
    const positions = new Map(
      (await store.subscriptions.positions(id)).map((at) => [at.partition, at.position]),
    )
    const held = await store.subscriptions.held.keys(id)
    for (const partition of gained) {
      const cursor = positions.get(partition) ?? 0
      const counts = held
        .filter((row) => row.partition === partition)
        .map((row) => [row.key, row.count] as const)
      lanes.set(partition, laneOf(partition, cursor, counts))
    }
  }

  const report = async () => {
    if (env.now() - reported < 5_000) return
    reported = env.now()
    await options.source.report(id.subscription, await store.subscriptions.positions(id))
  }

  let passedAt = 0
  /** Messages that nobody handles are passed over now and then. Answers how long it is until the next time. */
  const pass = async (): Promise<number> => {
    if (![...lanes.values()].some((lane) => lane.passed > lane.cursor)) return Infinity
    const due = work.atRest() ? 0 : passedAt + passMs - env.now()
    if (due > 0) return due
    passedAt = env.now()
    await work.pass()
    return Infinity
  }

  const read = async (hungry: readonly Lane[]) => {
    const messages = await options.source.read(
      hungry.map((lane) => ({ partition: lane.partition, position: lane.fetched })),
      readAhead,
      options.types,
    )
    const byPartition = Map.groupBy(messages, (message) => message.partition)
    for (const lane of hungry) {
      const found = byPartition.get(lane.partition) ?? []
      lane.more = (found.at(-1)?.position ?? 0) - lane.fetched >= readAhead
      for (const message of found) {
        if (message.position <= lane.fetched) continue
        lane.queue.push(message)
        lane.fetched = message.position
      }
      work.fill(lane)
    }
    return messages.length > 0
  }

  const wait = quiet(options.pollMs)
  const reading: Loop = loop({
    env,
    failed: (error) => log.warn('the log could not be read', {}, error),
    turn: async () => {
      await assign()
      await report()
      const hungry = [...lanes.values()].filter((lane) => lane.queue.length < readAhead / 2)
      for (const lane of lanes.values()) lane.more ||= !hungry.includes(lane)
      const found = hungry.length > 0 && (await read(hungry))
      const rest = await pass()
      const idle = wait(found)
      return found && hungry.some((lane) => lane.more && lane.queue.length < readAhead / 2)
        ? 0
        : Math.min(rest, idle)
    },
  })

  const together = { ...options, lanes, pace: pace(options) }
  const held = heldRetries({
    ...together,
    signal: stopping.signal,
    track,
    working,
    release,
    counted: () => counts,
  })
  const types = new Set(options.types)
  const work = laneWork({
    ...together,
    handles: (type) => types.has(type),
    patienceMs: options.patienceMs ?? 100,
    signal: stopping.signal,
    track,
    working,
    count,
    release,
    hungry: () => reading.wake(),
    heldChanged: () => held.wake(),
  })

  return {
    wake: reading.wake,
    stop: async () => {
      stopping.abort(new DOMException('the host is stopping', 'AbortError'))
      await Promise.all([reading.stop(), held.stop()])
      await Promise.allSettled(under)
      together.pace.stop()
    },
  }
}

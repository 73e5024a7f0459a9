import type { Env } from '../base/env.ts'
import { loop, type Loop } from '../base/loop.ts'
import type { Message } from '../contract/index.ts'
import {
  Superseded,
  type CursorMove,
  type Position,
  type Store,
  type SubscriptionId,
} from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import { delivery, type Settlement } from './delivery.ts'
import { claimMs, heldRetries } from './held-retries.ts'
import type { Lane } from './lane.ts'
import type { LogSource } from './log-source.ts'
import { partitionCount } from './partition.ts'
import { afterFailedTry, untried, type Tries } from './tries.ts'

/*
 * One subscription of one service to one publisher, as far as this host works on it. Each partition is a lane: its messages are handled one after
 * the other, each by a step that also moves the cursor. What fails or takes long moves to the held messages, so that it stops nobody but later
 * messages of its own key, which append behind it. Held messages are tried again from there.
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
  readonly handles: (type: string) => boolean
  /** Runs the handler. If it makes no step, the subscriber settles the message by itself. */
  readonly deliver: (message: Message, settlement: Settlement, signal: AbortSignal) => Promise<void>
  /** How often to look for messages without being woken. */
  readonly pollMs: number
  /** A message that takes longer is set aside. Default 100 ms. */
  readonly patienceMs?: number
}

export interface Subscriber {
  wake(): void
  stop(): Promise<void>
}

const readAhead = 64
const maxAside = 256
/** Starts to read from where the cursors are; the subscription must have been opened (`openSubscription`). */
export const subscriber = (options: SubscriberOptions): Subscriber => {
  const { env, id, store, log } = options
  const patienceMs = options.patienceMs ?? 100
  const lanes = new Map<number, Lane>()
  const stopping = new AbortController()
  const under = new Set<Promise<unknown>>()
  /** The held messages that this host is at work on. */
  const working = new Set<Position>()
  let aside = 0
  let reported = 0
  /** How often a held message was counted, in or out. */
  let counts = 0

  const track = (work: Promise<unknown>) => {
    under.add(work)
    void work.finally(() => under.delete(work)).catch(() => undefined)
  }
  const count = (lane: Lane, key: string, by: number) => {
    counts += 1
    const total = (lane.held.get(key) ?? 0) + by
    if (total > 0) lane.held.set(key, total)
    else lane.held.delete(key)
  }
  /** A held message was handled; its lane may have been read again meanwhile. */
  const release = (message: Message) => {
    const lane = lanes.get(message.partition)
    if (lane !== undefined) count(lane, message.subject, -1)
  }
  const move = (lane: Lane, to: number, key: string | undefined): CursorMove => ({
    ...id,
    partition: lane.partition,
    from: lane.cursor,
    to,
    key,
  })

  /** Takes over the lanes that are ours now, lets go of the others. */
  const assign = async () => {
    for (const lane of lanes.values())
      if (!lane.busy && !options.owns(lane.partition)) lanes.delete(lane.partition)
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
      lanes.set(partition, {
        partition,
        cursor,
        fetched: cursor,
        queue: [],
        busy: false,
        held: new Map(counts),
      })
    }
  }

  const hold = async (
    lane: Lane,
    message: Message,
    state: { dueAt: number; failures?: number; tries?: number; error?: string; holder?: string },
  ) => {
    await store.subscriptions.held.put(move(lane, message.position, undefined), message, {
      dueAt: state.dueAt,
      failures: state.failures ?? 0,
      tries: state.tries ?? 0,
      error: state.error,
      holder: state.holder,
    })
    lane.cursor = message.position
    count(lane, message.subject, 1)
  }

  const failedTry = (error: unknown, before: Tries) => afterFailedTry(error, before, env)

  const handle = async (lane: Lane, message: Message) => {
    if (lane.held.has(message.subject)) return hold(lane, message, { dueAt: env.now() })
    const run = delivery({
      held: false,
      moveCursor: (frame) => frame.moveCursor(move(lane, message.position, message.subject)),
      settleHeld: (frame) =>
        frame.settleHeld({ ...id, partition: lane.partition, position: message.position }),
    })
    const work = options
      .deliver(message, run.settlement, stopping.signal)
      .then(() =>
        run.settled
          ? undefined
          : run.settlement.around(() =>
              store.commit(async (unit) => run.settlement.settle(unit.frame), true),
            ),
      )
    const done = work.then(
      () => 'done' as const,
      (error: unknown) => ({ error }),
    )
    const patience = new AbortController()
    const first = await Promise.race([
      done,
      env.sleep(patienceMs, patience.signal).then(
        () => 'slow' as const,
        () => 'slow' as const,
      ),
    ])
    patience.abort()
    if (first === 'slow' && aside < maxAside && !stopping.signal.aborted) {
      working.add(message)
      const moved = await run
        .setAside(() => hold(lane, message, { dueAt: env.now() + claimMs, holder: options.holder }))
        .catch((error: unknown) => {
          working.delete(message)
          throw error
        })
      if (moved) {
        aside += 1
        const settled = done.then((end) => settleAside(message, end))
        track(settled.finally(() => (working.delete(message), (aside -= 1))))
        return
      }
      working.delete(message)
    }
    const outcome = first === 'slow' ? await done : first
    if (outcome === 'done') {
      lane.cursor = message.position
      return
    }
    if (outcome.error instanceof Superseded || stopping.signal.aborted) throw outcome.error
    const state = failedTry(outcome.error, untried)
    log.warn(
      'a message failed and is held',
      {
        event: message.type,
        key: message.subject,
        position: message.position,
        correlationId: message.correlationid,
      },
      outcome.error,
    )
    await hold(lane, message, state)
    held.wake()
  }

  const settleAside = async (message: Message, end: 'done' | { error: unknown }) => {
    const { partition, position } = message
    const heldId = { ...id, partition, position }
    if (end === 'done') release(message)
    else if (!(end.error instanceof Superseded) && !stopping.signal.aborted)
      await store.subscriptions.held.tries.failed(heldId, failedTry(end.error, untried))
    held.wake()
  }

  /** Handles what was fetched of one lane. What others did to its cursor meanwhile is found here, and the lane is read again. */
  const drain = async (lane: Lane) => {
    lane.busy = true
    try {
      while (lane.queue.length > 0 && !stopping.signal.aborted && options.owns(lane.partition)) {
        const message = lane.queue[0]!
        if (options.handles(message.type)) await handle(lane, message)
        else if (lane.queue.length === 1) {
          await store.commit(
            async (unit) => unit.frame.moveCursor(move(lane, message.position, undefined)),
            true,
          )
          lane.cursor = message.position
        }
        lane.queue.shift()
      }
    } catch (error) {
      if (!(error instanceof Superseded) && !stopping.signal.aborted) {
        log.warn(
          'a message could not be settled and is read again',
          { partition: lane.partition },
          error,
        )
        await env.sleep(100, stopping.signal).catch(() => undefined)
      }
      lanes.delete(lane.partition)
    } finally {
      lane.busy = false
      reading.wake()
    }
  }

  const report = async () => {
    if (env.now() - reported < 5_000) return
    reported = env.now()
    await options.source.report(id.subscription, await store.subscriptions.positions(id))
  }

  const reading: Loop = loop({
    env,
    failed: (error) => log.warn('the log could not be read', {}, error),
    turn: async () => {
      await assign()
      await report()
      const hungry = [...lanes.values()].filter((lane) => lane.queue.length < readAhead / 2)
      if (hungry.length === 0) return options.pollMs
      const messages = await options.source.read(
        hungry.map((lane) => ({ partition: lane.partition, position: lane.fetched })),
        readAhead,
      )
      for (const message of messages) {
        const lane = lanes.get(message.partition)
        if (lane === undefined || message.position <= lane.fetched) continue
        lane.queue.push(message)
        lane.fetched = message.position
      }
      for (const lane of lanes.values()) if (lane.queue.length > 0 && !lane.busy) track(drain(lane))
      return messages.length > 0 ? 0 : options.pollMs
    },
  })

  const held = heldRetries({
    ...options,
    lanes,
    signal: stopping.signal,
    track,
    working,
    release,
    counted: () => counts,
  })

  return {
    wake: reading.wake,
    stop: async () => {
      stopping.abort(new DOMException('the host is stopping', 'AbortError'))
      await Promise.all([reading.stop(), held.stop()])
      await Promise.allSettled(under)
    },
  }
}

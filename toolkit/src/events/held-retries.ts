import type { Env } from '../base/env.ts'
import { loop, type Loop } from '../base/loop.ts'
import type { Message } from '../contract/index.ts'
import {
  Superseded,
  type HeldMessage,
  type Position,
  type Store,
  type SubscriptionId,
} from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import { delivery, type Settlement } from './delivery.ts'
import { isBusy, type Lane } from './lane.ts'
import type { Pace, RetryShare } from './pace.ts'
import { afterFailedTry } from './tries.ts'

/** How long a host may be at work on a held message before another may take it. */
export const claimMs = 60_000
/** How long from one look at the held messages to the next. */
const lookMs = 50
const recountMs = 1_000
/** Either takes the longer, the more are held: so many milliseconds more for each. */
const slowerMs = 0.25
const longestLookMs = 1_000

const isAmong = (held: Iterable<Position>, at: Position): boolean =>
  [...held].some((one) => one.partition === at.partition && one.position === at.position)

interface HeldRetriesOptions {
  readonly env: Env
  readonly log: Logger
  readonly id: SubscriptionId
  readonly store: Store
  readonly holder: string
  readonly pollMs: number
  readonly deliver: (message: Message, settlement: Settlement, signal: AbortSignal) => Promise<void>
  readonly lanes: ReadonlyMap<number, Lane>
  readonly pace: Pace
  readonly signal: AbortSignal
  readonly track: (work: Promise<unknown>) => void
  /** The held messages that this host is at work on. */
  readonly working: Set<Position>
  /** A held message was handled. Answers whether others of its key are held. */
  readonly release: (message: Message) => boolean
  /** How often a held message was counted so far, in or out. */
  readonly counted: () => number
}

/** Tries a subscription's held messages again, the first of each key, when they are due and their type's pace allows it. */
export const heldRetries = (options: HeldRetriesOptions): Loop => {
  const { env, id, store, log, lanes, pace, signal, working } = options
  let retrying = 0
  /** Forgets the rest after the last look; undefined when it is over. By a timer: the clock of `env` may be set, or stand still. */
  let rest: (() => void) | undefined
  let recounted = 0
  /** There are some that are due, as far as is known. */
  let more = false

  const retry = async (held: HeldMessage) => {
    const run = delivery({
      held: true,
      moveCursor: () => undefined,
      settleHeld: (frame) => frame.settleHeld(held),
    })
    try {
      await options.deliver(held.message, run.settlement, signal)
      if (!run.settled) await store.commit(async (unit) => run.settlement.settle(unit.frame), true)
      pace.ended(held.message.type, undefined)
      if (options.release(held.message)) more = true
    } catch (error) {
      if (error instanceof Superseded || signal.aborted) return
      pace.ended(held.message.type, run.settled ? undefined : error)
      const state = afterFailedTry(error, held, env)
      const { type, subject, correlationid } = held.message
      const about = { event: type, key: subject, correlationId: correlationid }
      if (state.parked) log.error('a message failed five times: its key is parked', about, error)
      else if (state.failures > held.failures) log.warn('a held message failed again', about, error)
      await store.subscriptions.held.tries.failed(held, state)
    }
  }

  /** Others settle and discard held messages too: their keys are handled in their lanes again. */
  const recount = async (slowness: number) => {
    if (retrying > 0 || Math.abs(env.now() - recounted) < recountMs + slowness) return
    recounted = env.now()
    const idle = [...lanes.values()].filter((lane) => !isBusy(lane) && lane.held.size > 0)
    const before = options.counted()
    const rows = await store.subscriptions.held.keys(id)
    // Counted by ourselves meanwhile: the answer may be from before that.
    if (options.counted() !== before) return
    for (const lane of idle) {
      if (isBusy(lane)) continue
      lane.held.clear()
      for (const row of rows)
        if (row.partition === lane.partition) lane.held.set(row.key, row.count)
    }
  }

  const tryAgain = (message: HeldMessage) => {
    const { type } = message.message
    retrying += 1
    pace.retrying(type, 1)
    working.add(message)
    const tried = retry(message)
      .catch((error: unknown) => log.warn('a held message stays held', {}, error))
      .finally(() => {
        retrying -= 1
        pace.retrying(type, -1)
        working.delete(message)
        retries.wake()
      })
    options.track(tried)
  }

  /** Tries what is due. Answers whether there may be more. */
  const look = async (partitions: readonly number[], { types, limit }: RetryShare) => {
    const now = env.now()
    const known = [...working]
    const due = await store.subscriptions.held.claim(id, {
      partitions,
      types,
      now,
      until: now + claimMs,
      holder: options.holder,
      limit,
      working: known,
    })
    for (const message of due) {
      // Set aside by ourselves while the claim was under way: its handler goes on.
      if (isAmong(working, message) && !isAmong(known, message)) continue
      tryAgain(message)
    }
    return due.length === limit
  }

  const retries: Loop = loop({
    env,
    failed: (error) => log.warn('held messages could not be looked up', {}, error),
    turn: async () => {
      const holding = [...lanes.values()].filter((lane) => lane.held.size > 0)
      if (holding.length === 0) return options.pollMs
      const total = holding.flatMap((lane) => [...lane.held.values()]).reduce((a, b) => a + b, 0)
      const slowness = slowerMs * total
      await recount(slowness)
      const pauseMs = Math.min(lookMs + slowness, longestLookMs)
      const { shares, full } = pace.retries()
      if (rest !== undefined && (!more || full)) return pauseMs
      rest?.()
      rest = env.after(pauseMs, () => {
        rest = undefined
        retries.wake()
      })
      const partitions = holding.map((lane) => lane.partition)
      more &&= full
      for (const share of shares) more = (await look(partitions, share)) || more
      return pauseMs
    },
  })
  return {
    wake: retries.wake,
    stop: async () => {
      await retries.stop()
      rest?.()
    },
  }
}

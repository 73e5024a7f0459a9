import type { Env } from '../base/env.ts'
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
import { claimMs } from './held-retries.ts'
import { idle, isBusy, takeTurn, type Lane, type Run } from './lane.ts'
import type { Pace } from './pace.ts'
import { afterFailedTry, untried } from './tries.ts'

/*
 * What is done with the messages of the lanes. Handlers of different keys run at the same time, a few in each lane; a step waits until all before it
 * in its lane are ready too, and then they commit together, in the order of the log. Whatever else moves the cursor (a message that failed, or takes
 * long, or whose key is held) waits until it is at the head of its lane.
 */

export interface LaneWorkOptions {
  readonly env: Env
  readonly log: Logger
  readonly id: SubscriptionId
  readonly store: Store
  readonly holder: string
  readonly lanes: Map<number, Lane>
  readonly owns: (partition: number) => boolean
  readonly handles: (type: string) => boolean
  readonly deliver: (message: Message, settlement: Settlement, signal: AbortSignal) => Promise<void>
  readonly patienceMs: number
  readonly pace: Pace
  readonly signal: AbortSignal
  readonly track: (work: Promise<unknown>) => void
  /** The held messages that this host is at work on. */
  readonly working: Set<Position>
  /** A message of the key was held (1) or let go (-1). */
  readonly count: (lane: Lane, key: string, by: 1 | -1) => void
  /** A held message was handled. */
  readonly release: (message: Message) => void
  /** A lane has room for more messages. */
  readonly hungry: () => void
  /** A message was held, or one that was set aside has ended. */
  readonly heldChanged: () => void
}

export interface LaneWork {
  /** Starts what waits in a lane's queue. */
  fill(lane: Lane): void
  /** Whether no handler is at work in any lane. */
  atRest(): boolean
  /** Moves the cursors of lanes at rest behind what nobody handles, all in one step. */
  pass(): Promise<void>
}

/** Messages of one lane, and of all, that are handled at the same time. */
const laneWidth = 16
const atOnce = 256
/** How long a type's steps have nobody behind them, after one came too early. */
const aloneMs = 60_000

export const laneWork = (options: LaneWorkOptions): LaneWork => {
  const { env, id, store, log, lanes, pace, signal, track, working, count } = options
  /** Handlers at work that were not set aside. */
  let active = 0
  /** A lane waits for one of them to end. */
  let full = false
  /** How long a handler takes until its step is ready, of late: milliseconds. */
  let typical = 0
  /** Types whose steps commit so slowly that those behind them come too early, and until when. */
  const slow = new Map<string, number>()
  const alone = (type: string) => (slow.get(type) ?? 0) > env.now()

  const move = (
    { partition, cursor }: Lane,
    to: number,
    key?: string,
    from: number = cursor,
  ): CursorMove => ({ ...id, partition, from, to, key })

  const hold = async (
    lane: Lane,
    message: Message,
    state: { dueAt: number; failures?: number; tries?: number; error?: string; holder?: string },
  ) => {
    await store.subscriptions.held.put(move(lane, message.position), message, {
      dueAt: state.dueAt,
      failures: state.failures ?? 0,
      tries: state.tries ?? 0,
      error: state.error,
      holder: state.holder,
    })
    lane.cursor = message.position
    count(lane, message.subject, 1)
    lane.keys.delete(message.subject)
  }

  /** The lane is read again from where its cursor is; what it has under way is refused. */
  const abandon = async (lane: Lane, error: unknown) => {
    if (lane.dead) return
    lane.dead = true
    for (const run of lane.window) run.go(new Superseded('cursor'))
    if (!(error instanceof Superseded) && !signal.aborted) {
      const about = { partition: lane.partition }
      log.warn('a message could not be settled and is read again', about, error)
      await env.sleep(100, signal).catch(() => undefined)
    }
    if (lanes.get(lane.partition) === lane) lanes.delete(lane.partition)
    options.hungry()
  }

  const shift = (lane: Lane) => {
    const run = lane.window.shift()
    if (run !== undefined) lane.passed = run.message.position
  }

  /** Moves the lane's first message to the held ones, by `put`. */
  const moveAway = (lane: Lane, put: () => Promise<boolean>) => {
    lane.moving = true
    const moved = put().then(
      (done) => {
        lane.moving = false
        if (done) shift(lane)
        advance(lane)
      },
      (error: unknown) => {
        lane.moving = false
        return abandon(lane, error)
      },
    )
    track(moved)
  }

  const say = ({ type, subject, position, correlationid }: Message, error: unknown) =>
    log.warn(
      'a message failed and is held',
      { event: type, key: subject, position, correlationId: correlationid },
      error,
    )

  const failed = (lane: Lane, run: Run) => {
    const { message, error, before } = run
    if (signal.aborted || (error instanceof Superseded && before === undefined))
      return track(abandon(lane, error))
    if (error instanceof Superseded) {
      // It came too early: the step before it failed, or takes longer to commit.
      if (before?.state === 'passed') slow.set(before.message.type, env.now() + aloneMs)
      lane.window[0] = start(lane, message)
      return
    }
    say(message, error)
    moveAway(lane, async () => {
      await hold(lane, message, afterFailedTry(error, untried, env))
      options.heldChanged()
      return true
    })
  }

  /** Does what is next: at the lane's head, and then with what waits in its queue. */
  const advance = (lane: Lane): void => {
    if (lane.dead || lane.committing > 0 || lane.moving) return
    while (lane.window[0]?.state === 'passed') shift(lane)
    const head = lane.window[0]
    if (head?.state === 'failed') failed(lane, head)
    else if (head?.state === 'behind')
      moveAway(lane, async () => {
        await hold(lane, head.message, { dueAt: env.now() })
        options.heldChanged()
        return true
      })
    else if (head?.state === 'working' && head.late && !signal.aborted)
      moveAway(lane, head.setAside)
    else for (const run of takeTurn(lane, alone)) run.go()
    fill(lane)
    if (lane.more && lane.queue.length < laneWidth) options.hungry()
  }

  const fill = (lane: Lane): void => {
    const mayStart = () => {
      full ||= active >= atOnce
      return !lane.dead && !signal.aborted && lane.window.length < laneWidth && active < atOnce
    }
    for (let [message] = lane.queue; message !== undefined; [message] = lane.queue) {
      if (!mayStart() || lane.keys.has(message.subject) || !options.owns(lane.partition)) return
      lane.queue.shift()
      if (!options.handles(message.type)) {
        if (isBusy(lane)) lane.window.push(idle(message, 'passed'))
        else lane.passed = message.position
      } else if (lane.held.has(message.subject) || !pace.admits(message.type)) {
        lane.keys.add(message.subject)
        lane.window.push(idle(message, 'behind'))
        if (lane.window.length === 1) return advance(lane)
      } else lane.window.push(start(lane, message))
    }
  }

  const start = (lane: Lane, message: Message): Run => {
    const run = idle(message, 'working')
    const began = env.now()
    lane.keys.add(message.subject)
    active += 1
    const ended = (committed: boolean) => {
      lane.committing -= 1
      run.state = committed ? 'passed' : 'working'
      if (committed) lane.cursor = Math.max(lane.cursor, message.position)
      advance(lane)
    }
    const turn = () => {
      typical += (env.now() - began - typical) / 16
      forget()
      if (lane.dead) return Promise.reject(new Superseded('cursor'))
      run.state = 'ready'
      return new Promise<typeof ended>((resolve, reject) => {
        run.go = (refusal) => (refusal === undefined ? resolve(ended) : reject(refusal))
        // When all of them wait already, they go on in their order.
        queueMicrotask(() => advance(lane))
      })
    }
    const made = delivery({
      held: false,
      turn,
      moveCursor: (frame) =>
        frame.moveCursor(move(lane, message.position, message.subject, run.from)),
      settleHeld: (frame) =>
        frame.settleHeld({ ...id, partition: lane.partition, position: message.position }),
    })
    // When all of them take long, it is nothing about this one.
    const forget = env.after(Math.max(options.patienceMs, 4 * typical), () => {
      run.late = true
      if (lane.window[0] === run) advance(lane)
    })
    run.setAside = async () => {
      const held = { dueAt: env.now() + claimMs, holder: options.holder }
      working.add(message)
      let moved = false
      try {
        moved = await made.setAside(() => hold(lane, message, held))
      } finally {
        if (moved) {
          pace.aside(message.type, 1)
          active -= 1
        } else working.delete(message)
      }
      return moved
    }
    const work = options
      .deliver(message, made.settlement, signal)
      .then(() => {
        if (made.settled) return
        return made.settlement.around(() =>
          store.commit(async (unit) => made.settlement.settle(unit.frame), true),
        )
      })
      .then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
      .then(async (end) => {
        forget()
        await made.rest()
        if (!(end?.error instanceof Superseded) && !signal.aborted)
          pace.ended(message.type, made.settled ? undefined : end?.error)
        if (made.held) await endAside(message, end)
        else {
          active -= 1
          // A failed one keeps its key until it is held.
          if (made.settled) lane.keys.delete(message.subject)
          else run.state = 'failed'
          run.error = end?.error
          if (end !== undefined && made.settled)
            log.warn('a handler failed after its step', { event: message.type }, end.error)
        }
        const others = full ? [...lanes.values()] : []
        full = false
        for (const one of new Set([lane, ...others])) advance(one)
        if (active === 0) await pass()
      })
    track(work)
    return run
  }

  const endAside = async (message: Message, end: { error: unknown } | undefined) => {
    try {
      await settleAside(message, end)
    } catch (error) {
      log.warn('a held message stays held', { event: message.type, key: message.subject }, error)
    }
    working.delete(message)
    pace.aside(message.type, -1)
    options.heldChanged()
  }

  const settleAside = async (message: Message, end: { error: unknown } | undefined) => {
    const { partition, position } = message
    if (end === undefined) options.release(message)
    else if (!(end.error instanceof Superseded) && !signal.aborted) {
      const state = afterFailedTry(end.error, untried, env)
      if (state.failures > 0) say(message, end.error)
      await store.subscriptions.held.tries.failed({ ...id, partition, position }, state)
    }
  }

  const pass = async () => {
    const moves = [...lanes.values()]
      .filter((lane) => !lane.dead && !isBusy(lane) && lane.passed > lane.cursor)
      .map((lane) => ({ lane, to: lane.passed }))
    if (moves.length === 0) return
    for (const { lane } of moves) lane.moving = true
    const end = await store
      .commit(async (unit) => {
        for (const { lane, to } of moves) unit.frame.moveCursor(move(lane, to))
      }, true)
      .then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
    for (const { lane, to } of moves) {
      lane.moving = false
      if (end === undefined) lane.cursor = to
      else track(abandon(lane, end.error))
      advance(lane)
    }
  }

  return { fill, atRest: () => active === 0, pass }
}

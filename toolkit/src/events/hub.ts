import type { Env } from '../base/env.ts'
import { ServalError } from '../base/failure.ts'
import { loop, type Loop } from '../base/loop.ts'
import { pulse } from '../base/pulse.ts'
import type { Position } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import type { LogSource } from './log-source.ts'
import { quiet } from '../base/quiet.ts'

/*
 * Broadcast: every process learns of every event, for what it keeps in memory (caches, live feeds, revocations). There is no durable cursor and no retry: a
 * process begins at the head before it fills anything, and drops everything after a gap. What this process itself publishes it is told at once, before the
 * reply leaves; what others publish it reads from the publisher's log, unless the stores are its alone.
 */

/** An event as a broadcast tells it. */
export interface Broadcast {
  readonly id: string
  /** The publishing contract. */
  readonly source: string
  readonly type: string
  readonly key: string
  readonly data: Readonly<Record<string, unknown>>
}

export interface Listener {
  /** Told at least once of each event from now on. It never rejects. */
  readonly event: (event: Broadcast) => void | Promise<void>
  /** Events were missed: nothing that is kept in memory is known to be right. */
  readonly gap: () => void
}

export interface EventHub {
  /** Tells the listeners of this process what a step of it has just published. */
  tell(events: readonly Broadcast[]): Promise<void>
  /** Tells them what another process has just published; the log brings it once more. */
  hear(events: readonly Broadcast[]): Promise<void>
  /** Resolves when nothing that is published from now on can be missed. With a key, only events of that key are told. */
  follow(source: string, listener: Listener, key?: string): Promise<() => Promise<void>>
  /** A publisher's log has grown. */
  wake(source: string): void
  /** This process ends, and others may end before it: from now on nothing is said of logs that cannot be followed. */
  leave(): void
  stop(): Promise<void>
}

export interface EventHubOptions {
  readonly env: Env
  readonly log: Logger
  readonly sourceOf: (publisher: string) => LogSource
  /** Tells other processes of events that this one has published. It never rejects: what it could not tell they read in the log. */
  readonly spread?: (events: readonly Broadcast[]) => Promise<unknown>
  /** Other processes publish too: their events are read from the logs. */
  readonly shared: boolean
  /** How often to look at a log without being woken. */
  readonly pollMs: number
}

const everyKey = ''
const readAtOnce = 256
/** Own events that the log will bring once more. */
const mostTold = 10_000

interface Channel {
  readonly listeners: Map<string, Set<Listener>>
  following: Promise<Loop> | undefined
  readonly told: Set<string>
}

export const eventHub = (options: EventHubOptions): EventHub => {
  const channels = new Map<string, Channel>()
  let leaving = false

  const pass = (channel: Channel, event: Broadcast): Promise<unknown> | undefined => {
    const waits: Promise<void>[] = []
    for (const key of [everyKey, event.key])
      for (const listener of channel.listeners.get(key) ?? []) {
        const wait = listener.event(event)
        if (wait !== undefined) waits.push(wait)
      }
    return waits.length > 0 ? Promise.all(waits) : undefined
  }

  const begin = async (source: string, channel: Channel): Promise<Loop> => {
    const log = options.sourceOf(source)
    let positions: readonly Position[] = await log.heads()
    const wait = quiet(options.pollMs)
    return loop({
      env: options.env,
      failed: (error) => {
        if (!leaving) options.log.warn('a log cannot be followed', { publisher: source }, error)
      },
      turn: async () => {
        try {
          const messages = await log.read(positions, readAtOnce)
          if (messages.length === 0) return wait(false)
          const reached = new Map(positions.map((at) => [at.partition, at.position]))
          for (const { id, type, subject, data, partition, position } of messages) {
            reached.set(partition, position)
            if (channel.told.delete(id)) continue
            const fields = data as Readonly<Record<string, unknown>>
            await pass(channel, { id, source, type, key: subject, data: fields })
          }
          positions = [...reached].map(([partition, position]) => ({ partition, position }))
          wait(true)
          return 0
        } catch (error) {
          if (!(error instanceof ServalError) || error.code !== 'cursor-too-old') throw error
          positions = await log.heads()
          for (const listeners of channel.listeners.values())
            for (const listener of listeners) listener.gap()
          return 0
        }
      },
    })
  }

  const channelOf = (source: string): Channel => {
    const channel = channels.get(source) ?? {
      listeners: new Map<string, Set<Listener>>(),
      following: undefined,
      told: new Set<string>(),
    }
    channels.set(source, channel)
    return channel
  }

  return {
    tell: async (events) => {
      const spread = options.spread?.(events)
      for (const event of events) {
        const channel = channels.get(event.source)
        if (channel === undefined || channel.listeners.size === 0) continue
        if (channel.following !== undefined) {
          const oldest =
            channel.told.size < mostTold ? undefined : channel.told.values().next().value
          if (oldest !== undefined) channel.told.delete(oldest)
          channel.told.add(event.id)
        }
        await pass(channel, event)
      }
      await spread
    },
    hear: async (events) => {
      for (const event of events) {
        const channel = channels.get(event.source)
        if (channel !== undefined) await pass(channel, event)
      }
    },
    follow: async (source, listener, key = everyKey) => {
      const channel = channelOf(source)
      const listeners = channel.listeners.get(key) ?? new Set()
      channel.listeners.set(key, listeners.add(listener))
      const leave = async () => {
        listeners.delete(listener)
        if (listeners.size === 0 && channel.listeners.get(key) === listeners)
          channel.listeners.delete(key)
        if (channel.listeners.size > 0) return
        const { following } = channel
        channel.following = undefined
        channel.told.clear()
        await following?.then(
          (running) => running.stop(),
          () => undefined,
        )
      }
      try {
        if (options.shared) await (channel.following ??= begin(source, channel))
        return leave
      } catch (error) {
        channel.following = undefined
        await leave()
        throw error
      }
    },
    wake: (source) =>
      void channels
        .get(source)
        ?.following?.then((running) => running.wake())
        .catch(() => undefined),
    leave: () => {
      leaving = true
    },
    stop: async () => {
      const running = [...channels.values()].map(({ following }) => following)
      channels.clear()
      for (const one of running)
        await one?.then(
          (following) => following.stop(),
          () => undefined,
        )
    },
  }
}

/** However quiet it is, a watcher looks for itself this often. */
const lookAgainMs = 30_000

/** Yields once at once, and then after each event of a key, until the signal aborts. Several events may come as one. */
export async function* changesOf(
  hub: EventHub,
  source: string,
  key: string,
  env: Env,
  signal: AbortSignal,
): AsyncGenerator<void> {
  const beat = pulse(env)
  const leave = await hub.follow(source, { event: beat.wake, gap: beat.wake }, key)
  try {
    while (!signal.aborted) {
      yield
      await beat.wait(lookAgainMs, signal).catch(() => undefined)
    }
  } finally {
    await leave()
  }
}

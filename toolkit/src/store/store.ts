import type { Message } from '../contract/event.ts'

/**
 * The engine's side of the step: what a store of any kind must be able to do. `engines/sql` is the implementation for
 * PostgreSQL, on a server and embedded.
 */
export interface Store {
  readonly replies: Replies
  readonly log: Log
  readonly subscriptions: SubscriptionStore
  readonly jobs: JobStore
  /**
   * Commits everything that `work` did through its unit, or nothing. `work` may run again after a conflict, so it has no effects of its own.
   * Rejects with what `work` threw, with a guard's failure, with `Superseded`, or with `conflict`, `store-unavailable`,
   * `unknown-outcome`. `refusable` says that a second run would be refused by a key, cursor or version: only then is it run
   * again after a connection was lost in the commit.
   */
  commit<T>(work: (unit: Unit) => Promise<T>, refusable: boolean): Promise<T>
  /** Gives `work` the repositories for reading; nothing can be written there. */
  read<T>(work: (repositories: Readonly<Record<string, unknown>>) => Promise<T>): Promise<T>
  readonly hosts: Hosts
}

/** One step being made. Everything is committed together at the end. */
export interface Unit {
  readonly repositories: Readonly<Record<string, unknown>>
  readonly frame: Frame
  readonly schedule: Schedule
  /** Publishes when the step commits. A step emits only for keys whose row it wrote: that lock gives the order. */
  emit(event: EmittedEvent): void
  /** Of these scopes all, but not what this step remembers itself. */
  forgetReplies(scopes: readonly string[]): void
}

/** An event without its place in the log. */
export interface EmittedEvent {
  readonly id: string
  readonly type: string
  readonly key: string
  readonly partition: number
  /** JSON. */
  readonly data: string
  readonly at: number
  readonly correlationId: string
}

export interface Schedule {
  /** At most one job of a name and key is waiting: a later call sets the earlier one's time and data. */
  set(job: {
    readonly name: string
    readonly key: string
    readonly dueAt: number
    readonly data: string
  }): void
  drop(name: string, key: string): void
}

/** What caused the step, and is settled by it. Each is a guard: when another got there first, the step rejects with Superseded. */
export interface Frame {
  remember(reply: RememberedReply): void
  moveCursor(move: CursorMove): void
  /** The held message was handled. */
  settleHeld(held: HeldId): void
  /** The job was done; with `nextAt` it comes again. */
  settleJob(job: JobRun, nextAt?: number): void
}

/** Another run of the same work committed first. */
export class Superseded extends Error {
  override readonly name = 'Superseded'
  readonly by: 'reply' | 'cursor' | 'held' | 'job'
  constructor(by: Superseded['by']) {
    super(`another run committed first (${by})`)
    this.by = by
  }
}

export interface ReplyKey {
  /** Caller and operation. */
  readonly scope: string
  readonly key: string
}

export interface RememberedReply extends ReplyKey {
  /** Of the canonical input. */
  readonly inputHash: string
  readonly status: number
  readonly contentType: string
  readonly location: string | undefined
  readonly body: Uint8Array
  readonly expiresAt: number
}

export interface Replies {
  recall(key: ReplyKey): Promise<RememberedReply | undefined>
  /** Forgets replies that expired before `now`; answers how many. */
  prune(now: number): Promise<number>
}

export interface Position {
  readonly partition: number
  readonly position: number
}

/** Stands for messages that were not asked for, up to this place. Nobody handles its type. */
export const passedMessage = (source: string, { partition, position }: Position): Message => ({
  specversion: '1.0',
  id: '',
  source,
  type: '',
  subject: '',
  time: '',
  data: null,
  correlationid: '',
  partition,
  position,
})

/** The publisher's side: what was published, in order. */
export interface Log {
  /**
   * For each position, at most `limit` messages after it, in order. Position 0 reads from the oldest message that is kept;
   * any other rejects with `cursor-too-old` when what follows it is gone. Of other types than `types` a partition's last message comes as a
   * `passedMessage`, the rest not at all.
   */
  read(
    after: readonly Position[],
    limit: number,
    types?: readonly string[],
  ): Promise<readonly Message[]>
  /** The last position of each partition, 0 where nothing was published. */
  heads(): Promise<readonly Position[]>
  readonly readers: LogReaders
}

/** Who reads a log, and what may be forgotten. */
export interface LogReaders {
  /** Remembers a subscription and how far it is; the copy here may lag, never lead. */
  report(subscription: string, positions: readonly Position[]): Promise<void>
  list(): Promise<
    readonly {
      readonly subscription: string
      readonly partition: number
      readonly position: number
    }[]
  >
  forget(subscription: string): Promise<void>
  /** Deletes messages published before `before` that every subscription has passed, up to the first that it keeps. */
  prune(before: number): Promise<number>
}

export interface SubscriptionId {
  readonly subscription: string
  readonly publisher: string
}

export interface CursorMove extends SubscriptionId {
  readonly partition: number
  readonly from: number
  readonly to: number
  /** The message's key: the move is refused while a message of this key is held. Absent for a move past others' messages. */
  readonly key: string | undefined
}

export interface HeldId extends SubscriptionId, Position {}

export interface HeldMessage extends HeldId {
  readonly message: Message
  /** Tries that failed for the message's own sake. */
  readonly failures: number
  /** Tries that failed for whatever reason: what the wait before the next one grows with. */
  readonly tries: number
  readonly parked: boolean
  readonly error: string | undefined
}

/** The subscriber's side: cursors and held messages. */
export interface SubscriptionStore {
  /** Adds cursors for the partitions that have none yet; answers all of them. */
  open(id: SubscriptionId, start: readonly Position[]): Promise<readonly Position[]>
  /** The same, without adding. */
  positions(id: SubscriptionId): Promise<readonly Position[]>
  readonly held: HeldStore
}

export interface HeldStore {
  /** Moves a message out of the way of the others, together with the cursor. */
  put(
    move: CursorMove,
    message: Message,
    state: {
      readonly dueAt: number
      readonly failures: number
      readonly tries: number
      readonly error: string | undefined
      readonly holder: string | undefined
    },
  ): Promise<void>
  /** Keys that have a held message, per partition. */
  keys(
    id: SubscriptionId,
  ): Promise<
    readonly { readonly partition: number; readonly key: string; readonly count: number }[]
  >
  /**
   * The first message of each key that is due, or whose holder is gone; claimed for `holder` until `until`. Where there are more than `limit`,
   * half of them are the oldest, half those that waited longest for a try.
   */
  claim(
    id: SubscriptionId,
    claim: {
      readonly partitions: readonly number[]
      readonly types: { readonly only: string } | { readonly except: readonly string[] }
      readonly now: number
      readonly until: number
      readonly holder: string
      readonly limit: number
      /**
       * What `holder` is at work on. What else it is said to hold is claimed at once: a claim whose answer was lost, or a try whose
       * failure could not be written down.
       */
      readonly working?: readonly Position[]
    },
  ): Promise<readonly HeldMessage[]>
  readonly tries: HeldTries
}

export interface HeldTries {
  /** A try failed: tried again at `dueAt`, or parked. */
  failed(
    id: HeldId,
    state: {
      readonly dueAt: number
      readonly failures: number
      readonly tries: number
      readonly error: string
      readonly parked: boolean
    },
  ): Promise<void>
  parked(): Promise<readonly HeldMessage[]>
  /** Tries a parked key again from its first message. Answers whether there was one. */
  replay(id: SubscriptionId, key: string, now: number): Promise<boolean>
  /** Lets go of the first parked message of a key. */
  discard(id: SubscriptionId, key: string, now: number): Promise<boolean>
}

export interface JobRun {
  readonly name: string
  readonly key: string
  readonly data: string
  /** Tries before this one. */
  readonly attempts: number
  readonly holder: string
}

export interface JobStore {
  /** Adds a recurring job if it is not there. */
  ensure(name: string, dueAt: number): Promise<void>
  /** Takes due jobs for `holder` until `until`; also those whose holder is gone. */
  claim(
    names: readonly string[],
    now: number,
    until: number,
    holder: string,
  ): Promise<readonly JobRun[]>
  failed(job: JobRun, dueAt: number, error: string): Promise<void>
  /** When the next job is due, if any waits. */
  next(names: readonly string[]): Promise<number | undefined>
}

/** The hosts that share this store, by heartbeat. It saves double work; what keeps effects single are the guards. */
export interface Hosts {
  /** Reports this host as alive until `until`; answers the hosts alive, itself included, in a fixed order. */
  beat(host: string, now: number, until: number): Promise<readonly string[]>
  leave(host: string): Promise<void>
  /** Forgets every host: for an embedded store, which only one process can have open. */
  reset(): Promise<void>
}

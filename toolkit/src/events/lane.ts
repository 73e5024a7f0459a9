import type { Message } from '../contract/index.ts'

/** A message that was taken from its lane's queue, until the cursor has passed it. */
export interface Run {
  readonly message: Message
  /**
   * `passed`: nobody handles its type. `behind`: a message of its key is held, so it goes there too. `working`: its handler runs.
   * `ready`: its step waits for its turn. `committing`. `failed`, with `error`.
   */
  state: 'passed' | 'behind' | 'working' | 'ready' | 'committing' | 'failed'
  /** It took longer than a message may. */
  late: boolean
  /** From where its step moves the cursor. */
  from: number
  /** The one before it, of those that commit together. Without one, it is superseded by another host only. */
  before: Run | undefined
  error: unknown
  /** Lets its step go on, or refuses it. */
  go: (refusal?: Error) => void
  /** Moves it out of the way, unless its step has begun. Answers whether it did. */
  setAside: () => Promise<boolean>
}

/** A message that has no handler at work. */
export const idle = (message: Message, state: Run['state']): Run => ({
  message,
  state,
  late: false,
  from: 0,
  before: undefined,
  error: undefined,
  go: () => undefined,
  setAside: () => Promise.resolve(false),
})

/** One partition as a subscriber works on it. */
export interface Lane {
  readonly partition: number
  /** As committed. */
  cursor: number
  /** Last position fetched. */
  fetched: number
  /** Up to here, nothing is left to be handled. The cursor follows when there is time. */
  passed: number
  readonly queue: Message[]
  /** What is under way, in order of position. */
  readonly window: Run[]
  /** Keys at work: the next message of such a key waits. */
  readonly keys: Set<string>
  /** Steps that are committing. */
  committing: number
  /** Its first message is being set aside. */
  moving: boolean
  /** It is read again from the start, by another lane. */
  dead: boolean
  /** There may be more than was fetched. */
  more: boolean
  /** Held messages by key. */
  readonly held: Map<string, number>
}

export const laneOf = (
  partition: number,
  cursor: number,
  held: Iterable<readonly [string, number]>,
): Lane => ({
  partition,
  cursor,
  fetched: cursor,
  passed: cursor,
  queue: [],
  window: [],
  keys: new Set(),
  committing: 0,
  moving: false,
  dead: false,
  more: false,
  held: new Map(held),
})

export const isBusy = (lane: Lane): boolean => lane.window.length > 0 || lane.moving

/**
 * The steps that may commit now, all at once: the longest series of ready ones at the head. Each moves the cursor from where the one before it
 * leaves it. What is of a type that goes `alone` has nobody behind it.
 */
export const takeTurn = (lane: Lane, alone: (type: string) => boolean): readonly Run[] => {
  const batch: Run[] = []
  let from = lane.cursor
  for (const run of lane.window) {
    if (run.state === 'passed') continue
    if (run.state !== 'ready') break
    run.from = from
    run.before = batch.at(-1)
    from = run.message.position
    batch.push(run)
    if (alone(run.message.type)) break
  }
  for (const run of batch) run.state = 'committing'
  lane.committing = batch.length
  return batch
}

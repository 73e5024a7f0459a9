import type { ServalError } from '../../base/failure.ts'
import { problem, type Message } from '../../contract/index.ts'
import { partitionCount, partitionOf } from '../../events/partition.ts'
import { repository } from '../../store/repository.ts'
import {
  Superseded,
  type CursorMove,
  type EmittedEvent,
  type RememberedReply,
  type Position,
  type Store,
  type SubscriptionId,
  type Unit,
} from '../../store/store.ts'
import type { ManualEnv } from '../manual-env.ts'

/* What the store suite's parts share: its repositories, and short ways to fill a store and to look at it. */

/** A repository that each engine brings for the suite, of scope `service`. A counter begins at 0. */
export interface Counters {
  /** Adds, and answers the new value. The row is locked until the step ends. */
  add(key: string, by: number): Promise<number>
  /** Writes `to` under the guard that the value is `from`. */
  swap(key: string, from: number, to: number, otherwise: ServalError | 'again'): void
  value(key: string): Promise<number>
}

/** The same for scope `aggregate`: it names an aggregate only when the suite says so. */
export interface Pages {
  touch(aggregate: string): void
  write(key: string, n: number): void
  /** Writes, and answers what it wrote: in SQL by a query with RETURNING. */
  writeAndAnswer(key: string, n: number): Promise<number>
  value(key: string): Promise<number | undefined>
}

/** What `open` opens its stores with. */
export const storeSuiteRepositories = (
  engine: string,
  load: { readonly counters: () => Promise<unknown>; readonly pages: () => Promise<unknown> },
) => {
  const pages = repository<Pages>({ scope: 'aggregate', engines: { [engine]: load.pages } })
  const counters = repository<Counters>({ scope: 'service', engines: { [engine]: load.counters } })
  return { counters, pages, covers: pages }
}

export interface StoreUnderTest {
  readonly first: Store
  /** Another host's view of the same store. */
  readonly second?: Store
  readonly env: ManualEnv
  end(): Promise<void>
}

export type At = () => Required<StoreUnderTest>

export const counters = (of: Pick<Unit, 'repositories'>) => of.repositories['counters'] as Counters
export const pages = (of: Pick<Unit, 'repositories'>) => of.repositories['pages'] as Pages
export const covers = (of: Pick<Unit, 'repositories'>) => of.repositories['covers'] as Pages
export const NotEnough = problem('not-enough', { kind: 'conflict', title: 'Not enough' })

export const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => new Error(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
export const supersededBy = async (promise: Promise<unknown>) => {
  const error = await rejection(promise)
  return error instanceof Superseded ? error.by : error
}
export const turn = () => new Promise((resolve) => setTimeout(resolve, 0))

/** Moves time on until it is done: a commit waits between its tries. */
export const driven = async <T>(env: ManualEnv, work: Promise<T>): Promise<T> => {
  let over = false
  const end = () => void (over = true)
  work.then(end, end)
  while (!over) await env.advance(100)
  return work
}

let made = 0
/** A name that no other test uses. */
export const unique = (name: string) => `${name}-${(made += 1)}`

export const entry = (
  env: ManualEnv,
  key: string,
  options: Partial<EmittedEvent> = {},
): EmittedEvent => ({
  id: env.id(),
  type: 'counter.changed.v1',
  key,
  partition: partitionOf(key),
  data: '{}',
  at: env.now(),
  correlationId: 'correlation',
  ...options,
})

export const message = (position: number, subject: string, partition = 0): Message => ({
  specversion: '1.0',
  id: `${subject}/${position}`,
  source: 'publisher',
  type: 'counter.changed.v1',
  subject,
  time: '2026-01-01T00:00:00.000Z',
  data: { n: position, text: 'Müller 🐆' },
  correlationid: 'correlation',
  partition,
  position,
})

export const headOf = async (store: Store, partition: number) =>
  (await store.log.heads()).find((at) => at.partition === partition)?.position ?? 0
export const valueOf = (store: Store, key: string) =>
  store.read(async (r) => counters({ repositories: r }).value(key))
export const pageOf = (store: Store, key: string) =>
  store.read(async (r) => pages({ repositories: r }).value(key))

export const replyOf = (key: string, reply: Partial<RememberedReply> = {}): RememberedReply => ({
  scope: 's',
  key,
  inputHash: 'hash',
  status: 201,
  contentType: 'application/json',
  location: undefined,
  body: new Uint8Array(),
  expiresAt: 1_000_000,
  ...reply,
})

export const claimAll = {
  partitions: Array.from({ length: partitionCount }, (_, p) => p),
  types: { except: [] },
  limit: 100,
}

/** A subscription with a cursor at 0 in each partition. */
export const subscribe = async (store: Store): Promise<SubscriptionId> => {
  const id = { subscription: unique('reader'), publisher: 'publisher' }
  await store.subscriptions.open(
    id,
    claimAll.partitions.map((partition) => ({ partition, position: 0 })),
  )
  return id
}
export const moveTo = (id: SubscriptionId, to: number, key?: string): CursorMove => ({
  ...id, partition: 0, from: to - 1, to, key,
}) // prettier-ignore

/** Holds a message for each key, at positions 1, 2, 3 … of partition 0, due at `dueAt`. */
export const hold = async (store: Store, keys: readonly string[], dueAt = 0, holder?: string) => {
  const id = await subscribe(store)
  await store.hosts.beat('h', 0, 1_000_000)
  for (const [index, key] of keys.entries())
    await store.subscriptions.held.put(moveTo(id, index + 1), message(index + 1, key), {
      dueAt, failures: 0, tries: 0, error: undefined, holder,
    }) // prettier-ignore
  const claim = async (given: {
    now: number
    holder: string
    until?: number
    from?: Store
    limit?: number
    partitions?: readonly number[]
    types?: Parameters<Store['subscriptions']['held']['claim']>[1]['types']
    working?: readonly Position[]
  }) => {
    const { from = store, ...rest } = given
    const claimed = await from.subscriptions.held.claim(id, {
      ...claimAll,
      until: given.now + 1_000,
      ...rest,
    })
    return claimed.map((held) => held.position).sort((a, b) => a - b)
  }
  const heldAt = (position: number) => ({ ...id, partition: 0, position })
  return { id, claim, heldAt }
}

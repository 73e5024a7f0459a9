import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { RepositoryType } from '../../store/repository.ts'
import {
  Superseded,
  type EmittedEvent,
  type RememberedReply,
  type Replies,
  type Store,
  type Unit,
} from '../../store/store.ts'
import { memoryHosts } from './hosts.ts'
import { dropJob, memoryJobs, scheduleJob, settleJob } from './jobs.ts'
import { emptyLog, memoryLog, publish, type LogState } from './log.ts'
import {
  Again,
  openRepositories,
  type Implementation,
  type MemoryRepository,
} from './repository.ts'
import { memorySubscriptions, moveCursor, settleHeld } from './subscriptions.ts'
import { change, keyOf, overlay, type Overlay, type Tables } from './tables.ts'

/** All that one service keeps; the hosts that open its store share it. */
export interface State {
  /** The repositories' tables. */
  readonly rows: Tables
  /** The toolkit's. They change at once, without waiting in between: only a step's own work needs its turn. */
  readonly own: Tables
  readonly log: LogState
  /** The end of the last step: one step follows the other. */
  last: Promise<unknown>
}

export const emptyState = (): State => ({
  rows: new Map(),
  own: new Map(),
  log: emptyLog(),
  last: Promise.resolve(),
})

export const loadRepositories = (
  service: string,
  declared: Readonly<Record<string, RepositoryType>>,
): Promise<Implementation[]> =>
  Promise.all(
    Object.entries(declared).map(async ([name, type]) => {
      const load = type.engines['memory']
      if (load === undefined)
        throw failure(
          'misconfigured',
          `the repository ${name} of the service ${service} has no implementation in memory`,
        )
      // What the engines of a RepositoryType answer is known by their names alone.
      return { name, scope: type.scope, repository: (await load()) as MemoryRepository<unknown> }
    }),
  )

export const memoryStore = (
  state: State,
  service: string,
  implementations: readonly Implementation[],
  env: Env,
): Store => {
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = state.last.then(work)
    state.last = turn.catch(() => undefined)
    return turn
  }
  const step = async <T>(work: (unit: Unit) => Promise<T>): Promise<T> => {
    const rows = overlay(state.rows)
    const opened = openRepositories(implementations, rows, false)
    const made = unit(opened.repositories)
    try {
      const value = await work(made.unit)
      opened.end()
      // From here nothing waits, and only a guard may throw: before anything is applied.
      change(state.own, made.write)
      rows.apply()
      publish(state.log, service, made.events)
      return value
    } catch (error) {
      opened.end()
      throw error
    }
  }
  return {
    replies: replies(state.own),
    log: memoryLog(state.log, service),
    subscriptions: memorySubscriptions(state.own),
    jobs: memoryJobs(state.own),
    hosts: memoryHosts(state.own),
    read: async (work) =>
      work(openRepositories(implementations, overlay(state.rows), true).repositories),
    commit: async (work) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await alone(() => step(work))
        } catch (error) {
          if (!(error instanceof Again)) throw error
          if (attempt >= 20) throw failure('conflict', undefined, { cause: error })
          await env.sleep(Math.min(100, 2 ** attempt) * env.random())
        }
      }
    },
  }
}

/** What a step settles comes before what it schedules: a job may set itself again. */
const unit = (repositories: Unit['repositories']) => {
  const events: EmittedEvent[] = []
  const settled: ((tables: Overlay) => void)[] = []
  const scheduled: ((tables: Overlay) => void)[] = []
  const made: Unit = {
    repositories,
    frame: {
      remember: (reply) => void settled.push((tables) => remember(tables, reply)),
      moveCursor: (move) => void settled.push((tables) => moveCursor(tables, move)),
      settleHeld: (held) => void settled.push((tables) => settleHeld(tables, held)),
      settleJob: (job, nextAt) => void settled.push((tables) => settleJob(tables, job, nextAt)),
    },
    schedule: {
      set: (job) => void scheduled.push((tables) => scheduleJob(tables, job)),
      drop: (name, key) => void scheduled.push((tables) => dropJob(tables, name, key)),
    },
    emit: (event) => void events.push(event),
    // Settled, too: it comes before the reply that the step itself remembers.
    forgetReplies: (scopes) =>
      void settled.push((tables) => forget(tables, (reply) => scopes.includes(reply.scope))),
  }
  const write = (tables: Overlay) => {
    for (const one of [...settled, ...scheduled]) one(tables)
  }
  return { unit: made, events, write }
}

const repliesIn = (tables: Overlay) => tables.table<RememberedReply>('reply')

const remember = (tables: Overlay, reply: RememberedReply): void => {
  const at = keyOf(reply.scope, reply.key)
  if (repliesIn(tables).get(at) !== undefined) throw new Superseded('reply')
  repliesIn(tables).put(at, reply)
}

const forget = (tables: Overlay, which: (reply: RememberedReply) => boolean): number => {
  const found = repliesIn(tables).all().filter(which)
  for (const { scope, key } of found) repliesIn(tables).delete(keyOf(scope, key))
  return found.length
}

const replies = (own: Tables): Replies => ({
  recall: async ({ scope, key }) => repliesIn(overlay(own)).get(keyOf(scope, key)),
  prune: async (now) => change(own, (tables) => forget(tables, (reply) => reply.expiresAt < now)),
})

import { rfc3339, type Env } from '../../base/env.ts'
import { failure, ServalError } from '../../base/failure.ts'
import type { RepositoryType } from '../../store/repository.ts'
import {
  Superseded,
  type CursorMove,
  type EmittedEvent,
  type Frame,
  type Hosts,
  type RememberedReply,
  type Replies,
  type Schedule,
  type Store,
  type Unit,
} from '../../store/store.ts'
import {
  GuardFailed,
  SqlError,
  type SqlDatabase,
  type SqlServer,
  type SqlSession,
} from './database.ts'
import { scheduleJob, settleJob, sqlJobs } from './jobs.ts'
import { sqlLog } from './log.ts'
import { migrate } from './migrate.ts'
import { publish } from './publish.ts'
import { scoped, type SqlRepository } from './repository.ts'
import { toolkitMigrations } from './schema.ts'
import { moveCursors, settleHeld, sqlSubscriptions } from './subscriptions.ts'

interface Opened {
  readonly name: string
  readonly scope: RepositoryType['scope']
  readonly implementation: SqlRepository<unknown>
}

const loadRepositories = (
  service: string,
  declared: Readonly<Record<string, RepositoryType>>,
): Promise<Opened[]> =>
  Promise.all(
    Object.entries(declared).map(async ([name, type]) => {
      const load = type.engines['sql']
      if (load === undefined)
        throw failure(
          'misconfigured',
          `the repository ${name} of the service ${service} has no implementation for SQL`,
        )
      return { name, scope: type.scope, implementation: (await load()) as SqlRepository<unknown> }
    }),
  )

/** A database that says so when it is damaged: PostgreSQL's classes 58 (an error of the system) and XX (data or index corrupted). */
const reportingDamage = (database: SqlDatabase, name: string): SqlDatabase => {
  const tell = (error: unknown): never => {
    if (error instanceof SqlError && /^(58|XX)/.test(error.sqlState))
      throw failure(
        'store-damaged',
        `${name}: the database reports damage (${error.message}): restore it from a backup; nothing was removed from it`,
        { cause: error },
      )
    throw error
  }
  return {
    transaction: (work) => database.transaction(work).catch(tell),
    read: (work) => database.read(work).catch(tell),
    script: (text) => database.script(text).catch(tell),
  }
}

/** Opens a service's store: its database, its tables, its repositories. */
export const openSqlStore = async (
  server: SqlServer,
  service: string,
  declared: Readonly<Record<string, RepositoryType>>,
  env: Env,
): Promise<Store> => {
  const repositories = await loadRepositories(service, declared)
  const database = reportingDamage(await server.open(service), `${server.name}, ${service}`)
  const migrations = repositories.flatMap((opened) => opened.implementation.migrations)
  await migrate(database, service, [...toolkitMigrations, ...migrations])
  return sqlStore(database, service, repositories, env)
}

const sqlStore = (
  database: SqlDatabase,
  service: string,
  repositories: readonly Opened[],
  env: Env,
): Store => {
  const open = (session: SqlSession): Readonly<Record<string, unknown>> => {
    const touched = new Set<string>()
    return Object.fromEntries(
      repositories.map(({ name, scope, implementation }) => [
        name,
        implementation.open(scoped(session, scope, touched)),
      ]),
    )
  }
  const translated: SqlDatabase = {
    transaction: (work) => database.transaction(work).catch(translate),
    read: (work) => database.read(work).catch(translate),
    script: (text) => database.script(text).catch(translate),
  }
  return {
    replies: replies(translated),
    log: sqlLog(translated, service),
    subscriptions: sqlSubscriptions(translated),
    jobs: sqlJobs(translated),
    hosts: hosts(translated),
    read: (work) => translated.read((session) => work(open(session))),
    commit: async (work, refusable) => {
      let lost: unknown
      for (let attempt = 1; ; attempt++) {
        try {
          return await database.transaction(async (session) => {
            const own: OwnWrites = { settled: [], moves: [], others: [], events: [] }
            const value = await work(unit(session, open(session), own))
            for (const write of own.settled) write()
            moveCursors(session, own.moves)
            for (const write of own.others) write()
            publish(session, own.events)
            return value
          })
        } catch (error) {
          if (isUnknown(error)) lost = error
          if (!mayRunAgain(error, refusable)) {
            // A commit that was lost may have come about, though the database cannot be asked any more.
            const gone = error instanceof SqlError && error.unreachable
            return translate(gone ? (lost ?? error) : error)
          }
          if (attempt >= 20) throw failure('conflict', undefined, { cause: error })
          // The first time at once: a step may begin with a guess, and look closer when a guard refuses it.
          if (attempt > 1) await env.sleep(Math.min(100, 2 ** attempt) * env.random())
        }
      }
    },
  }
}

const isUnknown = (error: unknown): boolean =>
  error instanceof SqlError && error.outcome === 'unknown'

const mayRunAgain = (error: unknown, refusable: boolean): boolean =>
  (error instanceof GuardFailed && error.otherwise === 'again') ||
  (error instanceof SqlError && error.again) ||
  (isUnknown(error) && refusable)

const translate = (error: unknown): never => {
  if (error instanceof GuardFailed) {
    if (error.otherwise instanceof ServalError) throw error.otherwise
    const by = /^superseded:(reply|cursor|held|job)$/.exec(error.otherwise)?.[1]
    if (by !== undefined) throw new Superseded(by as Superseded['by'])
  }
  if (isUnknown(error)) throw failure('unknown-outcome', undefined, { cause: error })
  if (error instanceof SqlError && error.unreachable)
    throw failure('store-unavailable', undefined, { cause: error })
  throw error
}

/** The toolkit's writes in a step. What it settles comes before what it schedules: a job may set itself again. What it publishes comes last. */
interface OwnWrites {
  readonly settled: (() => void)[]
  readonly moves: CursorMove[]
  readonly others: (() => void)[]
  readonly events: EmittedEvent[]
}

/** The toolkit's writes come after the handler's: an event's number is drawn while its key's row is locked. */
const unit = (session: SqlSession, repositories: Unit['repositories'], own: OwnWrites): Unit => {
  const { settled, moves, others, events } = own
  const frame: Frame = {
    remember: (reply) => void settled.push(() => remember(session, reply)),
    moveCursor: (move) => void moves.push(move),
    settleHeld: (held) => void settled.push(() => settleHeld(session, held)),
    settleJob: (job, nextAt) => void settled.push(() => settleJob(session, job, nextAt)),
  }
  const schedule: Schedule = {
    set: (job) => void others.push(() => scheduleJob(session, job)),
    drop: (name, key) =>
      void others.push(() =>
        session.write('delete from serval_job where name = $1 and key = $2', [name, key]),
      ),
  }
  // Settled, too: it comes before the reply that the step itself remembers.
  const forgetReplies: Unit['forgetReplies'] = (scopes) =>
    void settled.push(() =>
      session.write('delete from serval_reply where scope = any ($1::text[])', [scopes]),
    )
  const emit: Unit['emit'] = (event) => void events.push(event)
  return { repositories, frame, schedule, emit, forgetReplies }
}

const remember = (session: SqlSession, reply: RememberedReply): void =>
  session.writeRows({
    text: `insert into serval_reply (scope, key, input_hash, status, content_type, location, body, expires_at)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::bytea[], $8::timestamptz[])
     on conflict do nothing`,
    columns: [
      [reply.scope],
      [reply.key],
      [reply.inputHash],
      [reply.status],
      [reply.contentType],
      [reply.location ?? null],
      [reply.body],
      [rfc3339(reply.expiresAt)],
    ],
    otherwise: 'superseded:reply',
    phase: 'settle',
  })

interface ReplyRow {
  readonly [column: string]: unknown
  readonly input_hash: string
  readonly status: number
  readonly content_type: string
  readonly location: string | null
  readonly body: Uint8Array
  readonly expires_at: number
}

const replies = (database: SqlDatabase): Replies => ({
  recall: ({ scope, key }) =>
    database.read(async (session) => {
      const [row] = await session.query<ReplyRow>(
        'select * from serval_reply where scope = $1 and key = $2',
        [scope, key],
      )
      return row === undefined
        ? undefined
        : {
            scope,
            key,
            inputHash: row.input_hash,
            status: row.status,
            contentType: row.content_type,
            location: row.location ?? undefined,
            body: row.body,
            expiresAt: row.expires_at,
          }
    }),
  prune: (now) =>
    database.transaction(
      async (session) =>
        (
          await session.query(
            'delete from serval_reply where expires_at < $1::timestamptz returning 1',
            [rfc3339(now)],
          )
        ).length,
    ),
})

const hosts = (database: SqlDatabase): Hosts => ({
  beat: (host, now, until) =>
    database.transaction(async (session) => {
      const rows = await session.query<{ host: string }>(
        `with gone as (delete from serval_host where until < $2::timestamptz and host <> $1), alive as (
           insert into serval_host (host, until) values ($1, $3::timestamptz)
           on conflict (host) do update set until = excluded.until returning host
         ) select host from alive union select host from serval_host where until >= $2::timestamptz order by host`,
        [host, rfc3339(now), rfc3339(until)],
      )
      return rows.map((row) => row.host)
    }),
  reset: () => database.transaction(async (session) => session.write('delete from serval_host')),
  leave: (host) =>
    database.transaction(async (session) =>
      session.write('delete from serval_host where host = $1', [host]),
    ),
})

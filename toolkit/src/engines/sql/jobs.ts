import { rfc3339 } from '../../base/env.ts'
import type { JobRun, JobStore } from '../../store/store.ts'
import type { SqlDatabase, SqlSession } from './database.ts'

const mine = 'name = $1 and key = $2 and holder = $3 and attempts = $4'
const run = (job: JobRun) => [job.name, job.key, job.holder, job.attempts]

/** Deletes a job, or sets when it comes again; refused when another host took it over. */
export const settleJob = (session: SqlSession, job: JobRun, nextAt?: number): void => {
  const guard = { rows: 1, otherwise: 'superseded:job' }
  if (nextAt === undefined) session.write(`delete from serval_job where ${mine}`, run(job), guard)
  else
    session.write(
      `update serval_job set due_at = $5::timestamptz, attempts = 0, holder = null, leased_until = null, error = null where ${mine}`,
      [...run(job), rfc3339(nextAt)],
      guard,
    )
}

export const scheduleJob = (
  session: SqlSession,
  job: { name: string; key: string; dueAt: number; data: string },
): void =>
  session.write(
    `insert into serval_job (name, key, due_at, data) values ($1, $2, $3::timestamptz, $4)
     on conflict (name, key) do update set due_at = excluded.due_at, data = excluded.data, attempts = 0, holder = null, leased_until = null`,
    [job.name, job.key, rfc3339(job.dueAt), job.data],
  )

export const sqlJobs = (database: SqlDatabase): JobStore => ({
  ensure: (name, dueAt) =>
    database.transaction(async (session) =>
      session.write(
        `insert into serval_job (name, key, due_at, data) values ($1, '', $2::timestamptz, 'null') on conflict do nothing`,
        [name, rfc3339(dueAt)],
      ),
    ),
  claim: async (names, now, until, holder) => {
    const due = `name = any($1::text[]) and due_at <= $2::timestamptz and (holder is null or leased_until < $2::timestamptz or not exists (
      select 1 from serval_host where host = serval_job.holder and until > $2::timestamptz))`
    const some = await database.read((session) =>
      session.query(`select 1 from serval_job where ${due} limit 1`, [names, rfc3339(now)]),
    )
    if (some.length === 0) return []
    return database.transaction((session) =>
      session.query<JobRun & Record<string, unknown>>(
        `update serval_job set holder = $4, leased_until = $3::timestamptz where (name, key) in (
           select name, key from serval_job where ${due} order by due_at limit 16 for update skip locked
         ) returning name, key, data, attempts, holder`,
        [names, rfc3339(now), rfc3339(until), holder],
      ),
    )
  },
  failed: (job, dueAt, error) =>
    database.transaction(async (session) =>
      session.write(
        `update serval_job set due_at = $5::timestamptz, attempts = attempts + 1, error = $6, holder = null, leased_until = null where ${mine}`,
        [...run(job), rfc3339(dueAt), error],
      ),
    ),
  next: (names) =>
    database.read(async (session) => {
      const rows = await session.query<{ due: number | null }>(
        'select min(due_at) as due from serval_job where name = any($1::text[]) and holder is null',
        [names],
      )
      return rows[0]?.due ?? undefined
    }),
})

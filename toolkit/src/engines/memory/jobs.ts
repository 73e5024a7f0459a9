import { Superseded, type JobRun, type JobStore } from '../../store/store.ts'
import { isAlive } from './hosts.ts'
import { change, keyOf, overlay, type Overlay, type Tables } from './tables.ts'

interface JobRow {
  readonly name: string
  readonly key: string
  readonly dueAt: number
  readonly data: string
  readonly attempts: number
  readonly holder: string | undefined
  readonly leasedUntil: number
}

const free = { holder: undefined, leasedUntil: 0 }
const jobs = (tables: Overlay) => tables.table<JobRow>('job')
const place = (job: { readonly name: string; readonly key: string }) => keyOf(job.name, job.key)

/** The job's row, as long as it is still this run's. */
const mine = (tables: Overlay, job: JobRun): JobRow | undefined => {
  const row = jobs(tables).get(place(job))
  return row?.holder === job.holder && row.attempts === job.attempts ? row : undefined
}

export const settleJob = (tables: Overlay, job: JobRun, nextAt?: number): void => {
  const row = mine(tables, job)
  if (row === undefined) throw new Superseded('job')
  if (nextAt === undefined) jobs(tables).delete(place(job))
  else jobs(tables).put(place(job), { ...row, ...free, dueAt: nextAt, attempts: 0 })
}

export const scheduleJob = (
  tables: Overlay,
  { name, key, dueAt, data }: { name: string; key: string; dueAt: number; data: string },
): void => jobs(tables).put(keyOf(name, key), { name, key, dueAt, data, attempts: 0, ...free })

export const dropJob = (tables: Overlay, name: string, key: string): void =>
  void jobs(tables).delete(keyOf(name, key))

export const memoryJobs = (own: Tables): JobStore => ({
  ensure: async (name, dueAt) =>
    change(own, (tables) => {
      const known = jobs(tables).get(keyOf(name, ''))
      if (known === undefined) scheduleJob(tables, { name, key: '', dueAt, data: 'null' })
    }),
  claim: async (names, now, until, holder) =>
    change(own, (tables) => {
      const isFree = (row: JobRow) =>
        row.holder === undefined || row.leasedUntil < now || !isAlive(tables, row.holder, now)
      const due = jobs(tables)
        .all()
        .filter((row) => names.includes(row.name) && row.dueAt <= now && isFree(row))
        .sort((a, b) => a.dueAt - b.dueAt)
        .slice(0, 16)
      for (const row of due) jobs(tables).put(place(row), { ...row, holder, leasedUntil: until })
      return due.map(({ name, key, data, attempts }) => ({ name, key, data, attempts, holder }))
    }),
  failed: async (job, dueAt) =>
    change(own, (tables) => {
      const row = mine(tables, job)
      if (row === undefined) return
      jobs(tables).put(place(job), { ...row, ...free, dueAt, attempts: row.attempts + 1 })
    }),
  next: async (names) => {
    const waiting = jobs(overlay(own))
      .all()
      .filter((row) => names.includes(row.name) && row.holder === undefined)
    return waiting.length === 0 ? undefined : Math.min(...waiting.map((row) => row.dueAt))
  },
})

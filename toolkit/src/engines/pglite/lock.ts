import { execFileSync } from 'node:child_process'
import {
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { failure } from '../../base/failure.ts'

/**
 * One process at a time per folder: two would destroy the data. There is no portable lock that ends with its
 * process, so the file says who holds it: a process id and, because ids are used again, when that process
 * started. Another machine's processes (a container's, on a shared volume) cannot be asked; there the
 * holder's sign of life counts, the time of the file.
 */
interface Holder extends FolderHolder {
  readonly started: string
  readonly token: string
}

/** Who has a folder: the `data` of the failure that refuses it. */
export interface FolderHolder {
  readonly pid: number
  readonly host: string
}

export interface FolderLock {
  /** True unless somebody took the lock away, which can only happen when three processes race for it. */
  held(): boolean
  release(): void
}

const lifeSignMs = 5000
const silentMs = 4 * lifeSignMs

/** Undefined for a process that does not exist. */
const startOf = (pid: number): string | undefined => {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // Field 22, after the command's name, which may contain anything (proc(5)); state Z is dead.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (fields[0] === 'Z') return undefined
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
      return `${boot} ${fields[19]}`
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', `${pid}`], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const parse = (text: string): Holder | undefined => {
  try {
    const holder = JSON.parse(text) as Partial<Holder>
    return typeof holder.pid === 'number' && holder.host ? (holder as Holder) : undefined
  } catch {
    return undefined
  }
}

const isAlive = (holder: Holder, path: string): boolean =>
  holder.host === hostname()
    ? startOf(holder.pid) === holder.started
    : Date.now() - statSync(path).mtimeMs < silentMs

export const lockFolder = (folder: string): FolderLock => {
  const path = join(folder, 'serval.lock')
  const token = crypto.randomUUID()
  const own: Holder = {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    host: hostname(),
    token,
  }
  const mine = `${path}.${token}`

  const inUse = (holder: Holder) =>
    failure(
      'cannot-start',
      `the data folder ${folder} is in use by process ${holder.pid}` +
        `${holder.host === own.host ? '' : ` on ${holder.host}`}: stop it first, or choose another folder`,
      { data: { pid: holder.pid, host: holder.host } satisfies FolderHolder },
    )

  writeFileSync(mine, JSON.stringify(own))
  try {
    for (;;) {
      try {
        // Unlike an exclusive create followed by a write, this is never seen half done.
        linkSync(mine, path)
        break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const found = read(path)
      if (found === undefined) continue
      const holder = parse(found)
      if (holder && isAlive(holder, path)) throw inUse(holder)
      takeAway(path, found, token)
    }
  } finally {
    rmSync(mine, { force: true })
  }

  const held = () => parse(read(path) ?? '')?.token === token
  const timer = setInterval(() => {
    const now = new Date()
    // A folder that vanished shows itself soon enough; this is only a sign of life.
    if (held()) utimesSync(path, now, now)
  }, lifeSignMs)
  timer.unref()
  return {
    held,
    release: () => {
      clearInterval(timer)
      if (held()) rmSync(path, { force: true })
    },
  }
}

/** Removes the lock that said `stale`, and puts back any other that it catches instead. */
const takeAway = (path: string, stale: string, token: string) => {
  const caught = `${path}.stale-${token}`
  try {
    renameSync(path, caught)
    if (read(caught) !== stale) linkSync(caught, path)
  } catch {
    // Another process was quicker.
  } finally {
    rmSync(caught, { force: true })
  }
}

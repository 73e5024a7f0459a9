import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { failure, ServalError } from '../../base/failure.ts'

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
  /** It lets other processes of its machine use the database over its socket. */
  readonly lends?: boolean | undefined
}

export interface FolderLock {
  /** True unless somebody took the lock away: another machine that saw no sign of life. */
  held(): boolean
  release(): void
}

const lifeSignMs = 5000
const silentMs = 4 * lifeSignMs

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code

export const reason = (error: unknown) => (error instanceof Error ? error.message : String(error))

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

/** Undefined when nothing is there. */
const read = (path: string): string | undefined => {
  // A pipe would keep its reader waiting, a link to nothing is in the way and is not read.
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found && !found.isFile()) throw new Error(`${path} is not a file`)
  try {
    return found && readFileSync(path, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

const parse = (text: string): Holder | undefined => {
  try {
    const holder = JSON.parse(text) as Partial<Holder>
    return typeof holder.pid === 'number' && typeof holder.started === 'string' && holder.host
      ? (holder as Holder)
      : undefined
  } catch {
    return undefined
  }
}

const isAlive = (holder: Holder, path: string): boolean =>
  holder.host === hostname()
    ? startOf(holder.pid) === holder.started
    : Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < silentMs

/** Unlike an exclusive create followed by a write, this is never seen half done. */
const linked = (file: string, as: string): boolean => {
  try {
    linkSync(file, as)
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  }
}

/** Where the one who may replace a dead holder's lock says so. */
const successorOf = (path: string, dead: string): string =>
  `${path}.after-${createHash('sha256').update(dead).digest('hex').slice(0, 32)}`

/** The holder's lock; when it is dead, that of its successor, which may have died, too, before it replaced the lock; and so on. */
function* succession(path: string): Generator<{ readonly text: string; readonly at: string }> {
  for (let at = path; ;) {
    const text = read(at)
    if (text === undefined) return
    yield { text, at }
    at = successorOf(path, text)
  }
}

/**
 * Replaces the lock of a process that is dead. Many may try at once, as all borrowers do when their lender is killed: only one of them can link
 * itself as the successor, and it looks again whether it still is one, since its predecessor's successor may have been and gone.
 */
const takeOver = (path: string, mine: string, own: string, inUse: (holder: Holder) => Error) => {
  let last: string | undefined
  for (const { text, at } of succession(path)) {
    const holder = parse(text)
    if (holder && isAlive(holder, at)) throw inUse(holder)
    last = text
  }
  if (last === undefined) return false
  const right = successorOf(path, last)
  if (!linked(mine, right)) return false
  try {
    if (![...succession(path)].some(({ text }) => text === own)) return false
    renameSync(mine, path)
  } finally {
    rmSync(right, { force: true })
  }
  const [folder, left] = [dirname(path), `${basename(path)}.after-`]
  for (const name of readdirSync(folder))
    if (name.startsWith(left)) rmSync(join(folder, name), { force: true })
  return true
}

/** Takes the folder's lock; with `lends`, other processes are told that they may ask for the database. */
export const lockFolder = (
  folder: string,
  { lends = false }: { readonly lends?: boolean } = {},
): FolderLock => {
  const path = join(folder, 'serval.lock')
  const token = crypto.randomUUID()
  const own = JSON.stringify({
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    host: hostname(),
    token,
    ...(lends && { lends }),
  } satisfies Holder)
  const mine = `${path}.${token}`

  const inUse = ({ pid, host, lends: lent }: Holder) =>
    failure(
      'cannot-start',
      `the data folder ${folder} is in use by process ${pid}` +
        `${host === hostname() ? '' : ` on ${host}`}: stop it first, or choose another folder`,
      { data: { pid, host, ...(lent && { lends: lent }) } satisfies FolderHolder },
    )

  try {
    writeFileSync(mine, own)
    while (!linked(mine, path) && !takeOver(path, mine, own, inUse));
  } catch (cause) {
    if (cause instanceof ServalError) throw cause
    throw failure(
      'cannot-start',
      `the data folder ${folder} cannot be locked (${reason(cause)}): see what is in the way, and remove it when no process uses the folder`,
      { cause },
    )
  } finally {
    rmSync(mine, { force: true })
  }

  const held = () => {
    try {
      return parse(read(path) ?? '')?.token === token
    } catch {
      return false
    }
  }
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

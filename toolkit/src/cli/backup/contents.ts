import { createHash } from 'node:crypto'
import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { failure, ServalError } from '../../base/failure.ts'
import { lockFolder, type FolderHolder, type FolderLock } from '../../engines/pglite/lock.ts'

export interface FileFound {
  /** From the data folder, with slashes. */
  readonly path: string
  readonly mode: number
  readonly size: number
}

export interface Contents {
  readonly mode: number
  readonly databases: readonly { readonly path: string; readonly postgres: string }[]
  readonly folders: readonly { readonly path: string; readonly mode: number }[]
  readonly files: readonly FileFound[]
}

/** Locks, what a killed start left, and a cache that PostgreSQL makes anew. */
const passing = /^(serval\.lock(\..*)?|data\.new-.*|pg_internal\.init)$/

const permissions = (mode: number) => mode & 0o777

/** Folders of embedded databases: the data folder itself (`.`), or folders in it. */
export const databasesIn = (folder: string): Contents['databases'] =>
  ['.', ...readdirSync(folder)].flatMap((path) => {
    const file = join(folder, path, 'data/PG_VERSION')
    return existsSync(file) ? [{ path, postgres: readFileSync(file, 'utf8').trim() }] : []
  })

/** What lies in a data folder, in the order of names. */
export const contentsOf = (folder: string): Contents => {
  const folders: { path: string; mode: number }[] = []
  const files: FileFound[] = []
  const walk = (at: string) => {
    for (const name of readdirSync(join(folder, at)).toSorted()) {
      if (passing.test(name)) continue
      const path = at === '' ? name : `${at}/${name}`
      const found = lstatSync(join(folder, path))
      const mode = permissions(found.mode)
      if (found.isDirectory()) {
        folders.push({ path, mode })
        walk(path)
      } else if (found.isFile()) files.push({ path, mode, size: found.size })
      else
        throw failure(
          'cannot-start',
          `${join(folder, path)} is neither a file nor a folder: a backup follows no links, move it elsewhere`,
        )
    }
  }
  walk('')
  return {
    mode: permissions(lstatSync(folder).mode),
    databases: databasesIn(folder),
    folders,
    files,
  }
}

/** Takes the locks of the databases, so that nobody writes meanwhile; refuses when somebody does. */
export const lockDatabases = (folder: string): { release(): void } => {
  const locks: FolderLock[] = []
  const release = () => locks.splice(0).forEach((lock) => lock.release())
  try {
    for (const { path } of databasesIn(folder)) locks.push(lockFolder(join(folder, path)))
  } catch (error) {
    release()
    throw inUse(folder, error)
  }
  return { release }
}

const Holder: z.ZodType<FolderHolder> = z.object({ pid: z.int(), host: z.string() })

const inUse = (folder: string, error: unknown): unknown => {
  const holder = error instanceof ServalError ? Holder.safeParse(error.data).data : undefined
  if (holder === undefined) return error
  const where = holder.host === hostname() ? '' : ` on ${holder.host}`
  return failure(
    'cannot-start',
    `the system that keeps its data in ${folder} is running (process ${holder.pid}${where}): stop it first, then run this again`,
  )
}

export const sha256Of = async (
  file: string,
  read: (bytes: number) => void = () => undefined,
): Promise<string> => {
  const hash = createHash('sha256')
  const chunks: AsyncIterable<Buffer> = createReadStream(file)
  for await (const chunk of chunks) {
    hash.update(chunk)
    read(chunk.length)
  }
  return hash.digest('hex')
}

/** “31.2 MB”. */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

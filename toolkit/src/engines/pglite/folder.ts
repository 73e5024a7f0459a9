import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { cp } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { failure } from '../../base/failure.ts'
import { lockFolder, reason, type FolderLock } from './lock.ts'
import { databaseTemplate } from './template.ts'

export interface DataFolder {
  /** PostgreSQL's own folder, complete. */
  readonly data: string
  readonly lock: FolderLock
}

const cannot = (detail: string, cause?: unknown) =>
  failure('cannot-start', detail, cause === undefined ? {} : { cause })

const prepare = (folder: string): void => {
  try {
    // Only for the user that runs it: the files in it are made without regard to that.
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    if (existsSync(folder) && !statSync(folder).isDirectory())
      throw cannot(`the data folder ${folder} is a file: choose another path`, error)
    throw cannot(
      `the data folder ${folder} cannot be written: give this user the right to, or choose another (${reason(error)})`,
      error,
    )
  }
}

const ours = (name: string) => name === 'data' || isLeftover(name) || name.startsWith('serval.lock')
const isLeftover = (name: string) => name.startsWith('data.new-') || name === lentFolder

/** Of the socket on which a process lends the database. */
export const lentFolder = 'serval.lock.lent'

/** What PostgreSQL needs to start; the rest it checks itself. */
const parts = ['PG_VERSION', 'global', 'global/pg_control', 'base', 'base/1', 'pg_wal', 'pg_xact', 'postgresql.conf'] // prettier-ignore
const controlFileBytes = 8192

const check = (folder: string, data: string): void => {
  const missing = parts.find((part) => !existsSync(join(data, part)))
  if (missing !== undefined) throw unopenable(folder, `${join(data, missing)} is missing`)
  const control = join(data, 'global/pg_control')
  const { size } = statSync(control)
  if (size !== controlFileBytes)
    throw unopenable(folder, `${control} has ${size} bytes instead of ${controlFileBytes}`)
}

export const unopenable = (folder: string, detail: string, cause?: unknown) =>
  cannot(
    `the database in ${folder} cannot be opened (${detail}): restore the folder from a backup, or move it away to start empty; nothing was removed from it`,
    cause,
  )

/** Locks the folder, and makes an empty database in it when there is none: all of it or nothing. */
export const openFolder = async (
  path: string,
  options: { readonly lends?: boolean } = {},
): Promise<DataFolder> => {
  const folder = resolve(path)
  const data = join(folder, 'data')
  prepare(folder)
  const strange = readdirSync(folder).find((name) => !ours(name))
  if (strange !== undefined && !existsSync(data))
    throw cannot(
      `the data folder ${folder} holds other files (${strange}): choose a folder that is empty or does not exist`,
    )
  const lock = lockFolder(folder, options)
  try {
    for (const name of readdirSync(folder).filter(isLeftover))
      rmSync(join(folder, name), { recursive: true, force: true })
    if (existsSync(data)) check(folder, data)
    else await create(folder, data)
    if (!lock.held()) throw cannot(`the data folder ${folder} was taken by another process`)
    return { data, lock }
  } catch (error) {
    lock.release()
    throw error
  }
}

const create = async (folder: string, data: string): Promise<void> => {
  const half = join(folder, `data.new-${process.pid}`)
  try {
    const template = await databaseTemplate()
    try {
      await cp(template.folder, half, { recursive: true, mode: constants.COPYFILE_FICLONE })
    } finally {
      await template.dispose()
    }
    chmodSync(half, 0o700)
    renameSync(half, data)
  } catch (error) {
    rmSync(half, { recursive: true, force: true })
    throw cannot(`no database could be made in ${folder}: ${reason(error)}`, error)
  }
}

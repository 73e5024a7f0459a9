import { createWriteStream, existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { rfc3339, systemEnv } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { Command } from '../command.ts'
import { dataFolder, dataOption, progressOf } from './backup.ts'
import { databasesIn, lockDatabases, megabytes } from './contents.ts'
import type { Manifest } from './manifest.ts'
import { readArchive, type ArchiveTaker } from './read-archive.ts'
import type { Terminal } from '../terminal.ts'

/** The major version of PostgreSQL that is embedded here. */
const embeddedPostgres = async (): Promise<string> => {
  const { databaseTemplate } = await import('../../engines/pglite/template.ts')
  const template = await databaseTemplate().catch((cause: unknown) => {
    throw failure(
      'cannot-start',
      'the embedded database does not run here, so that its version cannot be compared: install @electric-sql/pglite',
      { cause },
    )
  })
  try {
    return (await readFile(join(template.folder, 'PG_VERSION'), 'utf8')).trim()
  } finally {
    await template.dispose()
  }
}

const bytesOf = ({ files }: Manifest) => files.reduce((sum, { size }) => sum + size, 0)

/** Refuses what this program’s embedded database could not open. */
const checkVersions = async (archive: string, { databases, serval }: Manifest): Promise<void> => {
  if (databases.length === 0) return
  const postgres = await embeddedPostgres()
  const other = databases.find((one) => one.postgres !== postgres)
  if (other !== undefined)
    throw failure(
      'cannot-start',
      `${archive} holds a database of PostgreSQL ${other.postgres}, and here PostgreSQL ${postgres} is embedded: restore it with serval ${serval}, which made it`,
    )
}

/** Reads the archive and keeps nothing. */
const verifying = (archive: string, terminal: Terminal): ArchiveTaker => {
  let read: (bytes: number) => void = () => undefined
  return {
    begin: async (manifest) => {
      await checkVersions(archive, manifest)
      read = progressOf(terminal, 'verifying', bytesOf(manifest))
    },
    file: async (_path, _mode, chunks) => {
      for await (const chunk of chunks) read(chunk.length)
    },
  }
}

/** Unpacks into a folder that does not exist yet. Modes of folders come last: one may be closed to its own user. */
const unpacking = (archive: string, folder: string, terminal: Terminal): ArchiveTaker => {
  let read: (bytes: number) => void = () => undefined
  return {
    begin: async (manifest) => {
      await checkVersions(archive, manifest)
      read = progressOf(terminal, 'restoring', bytesOf(manifest))
      await mkdir(folder, { mode: 0o700 })
      for (const { path } of manifest.folders) await mkdir(join(folder, path), { mode: 0o700 })
    },
    file: async (path, mode, chunks) => {
      const told = async function* () {
        for await (const chunk of chunks) {
          read(chunk.length)
          yield chunk
        }
      }
      const file = join(folder, path)
      await pipeline(Readable.from(told()), createWriteStream(file, { flags: 'wx', mode: 0o600 }))
      await chmod(file, mode)
    },
  }
}

const setModes = async (folder: string, { folders, mode }: Manifest): Promise<void> => {
  for (const one of folders.toReversed()) await chmod(join(folder, one.path), one.mode)
  await chmod(folder, mode)
}

/** Where the former data goes: beside itself, under the time. */
const asideOf = (folder: string): string => {
  const at = rfc3339(systemEnv().now()).replaceAll(/[-:]|\..*/g, '')
  for (let count = 1; ; count++) {
    const path = `${folder}.before-${at}${count === 1 ? '' : `-${count}`}`
    if (!existsSync(path)) return path
  }
}

const holds = (folder: string): boolean => {
  if (!existsSync(folder)) return false
  if (statSync(folder).isDirectory()) return readdirSync(folder).length > 0
  throw failure('misconfigured', `${folder} is a file: name a folder with --data`)
}

/** Puts the new folder in the old one’s place; the old one, moved aside, comes back when that fails. */
const exchange = async (draft: string, folder: string): Promise<string | undefined> => {
  if (!holds(folder)) {
    await rename(draft, folder)
    return undefined
  }
  const lock = lockDatabases(folder)
  try {
    const aside = asideOf(folder)
    await rename(folder, aside)
    try {
      await rename(draft, folder)
    } catch (error) {
      await rename(aside, folder)
      throw error
    }
    // The lock went with it, and nobody holds it any more.
    for (const { path } of databasesIn(aside))
      await rm(join(aside, path, 'serval.lock'), { force: true })
    return aside
  } finally {
    lock.release()
  }
}

/** Brings a backup back, whole or not at all. */
export const restore: Command = {
  name: 'restore',
  takes: 'FILE',
  arguments: { least: 1, most: 1 },
  summary: 'Brings embedded data back from a file that backup wrote',
  options: {
    data: dataOption,
    force: { type: 'boolean', short: 'f', help: 'move existing data aside instead of refusing' },
    check: { type: 'boolean', help: 'verify the file, and restore nothing' },
  },
  notes: [
    'Everything is unpacked beside the data folder and compared with the file’s checksums; only then it takes the',
    'folder’s place. Whatever goes wrong before, nothing has changed.',
  ],
  run: async ({ positionals: [archive = ''], text, flag }, terminal) => {
    if (!existsSync(archive)) throw failure('misconfigured', `${archive} does not exist`)
    if (flag('check')) {
      const manifest = await readArchive(archive, verifying(archive, terminal))
      terminal.out(`${archive} is whole: ${manifest.files.length} files, ${megabytes(bytesOf(manifest))}, of ${manifest.at}.`) // prettier-ignore
      return 0
    }
    const given = resolve(dataFolder(text('data')))
    const folder = existsSync(given) ? realpathSync(given) : given
    if (!existsSync(dirname(folder)))
      throw failure('misconfigured', `the folder ${dirname(folder)} does not exist`)
    if (holds(folder)) {
      // Told before the work, and checked again when the folder is exchanged.
      lockDatabases(folder).release()
      if (!flag('force'))
        throw failure(
          'cannot-start',
          `${folder} is there already, and nothing was changed: with --force it is moved aside, or choose another folder with --data`,
        )
    }
    const draft = `${folder}.restore-${process.pid}`
    try {
      const manifest = await readArchive(archive, unpacking(archive, draft, terminal))
      await setModes(draft, manifest)
      const aside = await exchange(draft, folder)
      terminal.out(
        `${folder} holds what ${archive} held: ${manifest.files.length} files, ${megabytes(bytesOf(manifest))}, of ${manifest.at}.`,
      )
      if (aside !== undefined) terminal.out(`What was there before is in ${aside}.`)
      return 0
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  },
}

import { existsSync, realpathSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { rfc3339, systemEnv } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { Command, CommandOption } from '../command.ts'
import type { Terminal } from '../terminal.ts'
import { version } from '../version.ts'
import { contentsOf, databasesIn, lockDatabases, megabytes, sha256Of } from './contents.ts'
import type { Manifest } from './manifest.ts'
import { readArchive } from './read-archive.ts'
import { writeArchive } from './write-archive.ts'

export const dataOption: CommandOption = {
  type: 'string',
  short: 'd',
  value: 'FOLDER',
  help: 'the data folder; SERVAL_DATA, or data, unless given',
}

export const dataFolder = (given: string | undefined): string =>
  given ?? (process.env['SERVAL_DATA'] || 'data')

/** Tells how far a work of so many bytes is. */
export const progressOf = (terminal: Terminal, doing: string, total: number) => {
  let done = 0
  return (bytes: number) => {
    done += bytes
    terminal.progress(`${doing} ${megabytes(done)} of ${megabytes(total)}`)
  }
}

const check = (archive: string, folder: string): void => {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw failure('misconfigured', `the data folder ${folder} does not exist; name it with --data`)
  if (databasesIn(folder).length === 0)
    throw failure(
      'misconfigured',
      `${folder} holds no embedded database: setups on a PostgreSQL server are backed up with pg_dump, each service’s database, and the file ${join(folder, 'secret')}`,
    )
  if (existsSync(archive))
    throw failure('misconfigured', `${archive} exists, and a backup overwrites nothing: choose another name`) // prettier-ignore
  const parent = dirname(resolve(archive))
  if (!existsSync(parent)) throw failure('misconfigured', `the folder ${parent} does not exist`)
  if (`${realpathSync(parent)}${sep}`.startsWith(`${realpathSync(folder)}${sep}`))
    throw failure('misconfigured', `${archive} lies in ${folder}: keep backups elsewhere, best on another machine`) // prettier-ignore
}

/** Packs a data folder, while its lock is held, and reads back what was written. */
const pack = async (archive: string, folder: string, terminal: Terminal): Promise<Manifest> => {
  const { files, ...rest } = contentsOf(folder)
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  const reading = progressOf(terminal, 'reading', bytes)
  const summed: Manifest['files'] = []
  for (const file of files)
    summed.push({ ...file, sha256: await sha256Of(join(folder, file.path), reading) })
  const manifest: Manifest = {
    format: 1,
    serval: version(),
    at: rfc3339(systemEnv().now()),
    mode: rest.mode,
    databases: [...rest.databases],
    folders: [...rest.folders],
    files: summed,
  }
  await writeArchive(archive, folder, manifest, progressOf(terminal, 'packing', bytes))
  const verifying = progressOf(terminal, 'verifying', bytes)
  return readArchive(archive, {
    begin: () => Promise.resolve(),
    file: async (_path, _mode, chunks) => {
      for await (const chunk of chunks) verifying(chunk.length)
    },
  })
}

/** Puts a stopped system's embedded data into one file. */
export const backup: Command = {
  name: 'backup',
  takes: 'FILE',
  arguments: { least: 1, most: 1 },
  summary: 'Puts the embedded data of a stopped system into one file',
  options: { data: dataOption },
  notes: [
    'FILE (a .tar.gz) holds everything in the data folder: the databases, the secret, the mailbox. Only its owner can',
    'read it; who has it, has the secret. The system must be stopped: a backup never reads data that is being written.',
  ],
  run: async ({ positionals: [archive = ''], text }, terminal) => {
    const folder = dataFolder(text('data'))
    check(archive, folder)
    const lock = lockDatabases(folder)
    const draft = `${archive}.${process.pid}.part`
    try {
      const manifest = await pack(draft, folder, terminal)
      await rename(draft, archive)
      const bytes = manifest.files.reduce((sum, { size }) => sum + size, 0)
      terminal.out(
        `${folder} is in ${archive}: ${manifest.files.length} files, ${megabytes(bytes)} (${megabytes(statSync(archive).size)} packed), read back and compared.`,
      )
      return 0
    } finally {
      await rm(draft, { force: true })
      lock.release()
    }
  },
}

import { openAsBlob } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { failure } from '../../base/failure.ts'
import { unopenable, openFolder } from './folder.ts'
import type { FolderLock } from './lock.ts'
import { databaseTemplate } from './template.ts'

/**
 * Measured on Bun, idle: 256 MB resident with PostgreSQL's defaults, 140 MB with these. There is one session, and
 * the operating system caches the files a second time anyway.
 */
const settings = {
  shared_buffers: '16MB',
  wal_buffers: '1MB',
  max_connections: '5',
  // How much log may pile up until its changes are in the tables: it bounds the folder and the restart.
  max_wal_size: '64MB',
  min_wal_size: '8MB',
  // Reads need no transaction to be refused a write.
  default_transaction_read_only: 'on',
  // Rows looked at to analyze a table (300 for each): a tenth, because everyone waits meanwhile and statements go by keys.
  default_statistics_target: '10',
}

const startParams = [
  ...(PGlite as unknown as { defaultStartParams: string[] }).defaultStartParams,
  ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
]

export interface Started {
  readonly pg: PGlite
  readonly lock: FolderLock | undefined
}

const inMemory = async (): Promise<Started> => {
  const template = await databaseTemplate()
  try {
    const loadDataDir = await openAsBlob(template.archive)
    return { pg: await PGlite.create('memory://', { startParams, loadDataDir }), lock: undefined }
  } catch (error) {
    throw failure('cannot-start', 'the database in memory did not start', { cause: error })
  } finally {
    await template.dispose()
  }
}

/** PostgreSQL's own words, without its clock and process number: `FATAL:  … DETAIL:  …`. */
const firstReason = (said: readonly string[]): string | undefined => {
  const at = said.findIndex((line) => /\b(FATAL|PANIC):/.test(line))
  const next = said[at + 1]
  const words =
    at < 0 ? said.slice(-1) : next?.includes('DETAIL:') ? [said[at]!, next] : [said[at]!]
  return (
    words.map((line) => line.replace(/^.*?\b(FATAL|PANIC|DETAIL): */, '')).join(': ') || undefined
  )
}

const inFolder = async (folder: string, lends: boolean): Promise<Started> => {
  const { data, lock } = await openFolder(folder, { lends })
  const said: string[] = []
  // What PostgreSQL prints is kept for the message, not shown.
  const keep = (line: string) => said.push(line) < 0
  try {
    const pg = await PGlite.create(data, { startParams, onStdout: keep, onStderr: keep })
    return { pg, lock }
  } catch (error) {
    lock.release()
    throw unopenable(folder, firstReason(said) ?? String(error), error)
  }
}

export const startDatabase = (
  folder: string | undefined,
  { lends = false }: { readonly lends?: boolean } = {},
): Promise<Started> => (folder === undefined ? inMemory() : inFolder(folder, lends))

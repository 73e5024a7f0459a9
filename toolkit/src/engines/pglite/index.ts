import { systemEnv, type Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { SqlServer } from '../sql/database.ts'
import { checkName, databaseOn, perService, type Reach } from './reached.ts'
import { running } from './running.ts'
import { sharedDatabase } from './shared-database.ts'
import { startDatabase } from './start.ts'

export interface PgliteOptions {
  /** Where the data is kept; in memory, for as long as this process lives, when it is left out. */
  readonly folder?: string | undefined
  /**
   * Several processes of one machine use the folder: the first opens the database and lends it to the others, over a socket in the folder that only
   * its owner can use; when it ends, another does. Slower than a database server, and than one process alone.
   */
  readonly shared?: boolean
  readonly env?: Env
}

/** PostgreSQL in this process: a schema and a role for each service, all on one session. */
export const pglite = ({
  folder,
  shared = false,
  env = systemEnv(),
}: PgliteOptions = {}): SqlServer => {
  if (shared) {
    if (folder === undefined)
      throw failure('misconfigured', 'a database that processes share needs a folder')
    return sharedDatabase(folder, env)
  }
  let started: Promise<Reach> | undefined

  const open = async (service: string) => {
    checkName(service)
    started ??= startDatabase(folder).then((made) => running(made, env))
    started.catch(() => (started = undefined))
    return databaseOn(await (await started).of(service))
  }

  return {
    exclusive: true,
    name: folder === undefined ? 'pglite in memory' : `pglite ${folder}`,
    open: perService(open),
    close: async () => {
      await (await started?.catch(() => undefined))?.close()
    },
  }
}

import { postgres } from 'serval/engines/postgres'
import { sqlStores } from 'serval/engines/sql'
import type { Settings, Setup } from 'serval/host'
import { oneProcess } from './one-process.ts'

const setting = 'SERVAL_DATABASE_URL'

/** State on a PostgreSQL server: a database and a role for each service, and so many connections to each from every host. */
export const onPostgres = (settings: Settings, connections: number): Setup => ({
  ...oneProcess(settings),
  stores: sqlStores(
    postgres({
      url: settings.text(setting, ''),
      setting,
      // Several shops may share a server.
      prefix: settings.text('SERVAL_DATABASE_PREFIX', 'serval_'),
      poolSize: settings.integer('SERVAL_DATABASE_CONNECTIONS', connections, { from: 1, to: 100 }),
    }),
  ),
})

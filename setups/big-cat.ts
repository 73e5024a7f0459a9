import { postgres } from 'serval/engines/postgres'
import { sqlStores } from 'serval/engines/sql'
import { setup } from 'serval/host'
import { oneProcess } from './one-process.ts'

const setting = 'SERVAL_DATABASE_URL'

/** One process on a PostgreSQL server: a database and a role for each service. */
export default setup('big-cat', (settings) => ({
  ...oneProcess(settings),
  stores: sqlStores(
    postgres({
      url: settings.text(setting, ''),
      setting,
      // Several shops may share a server.
      prefix: settings.text('SERVAL_DATABASE_PREFIX', 'serval_'),
    }),
  ),
}))

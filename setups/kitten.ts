import { pglite } from 'serval/engines/pglite'
import { sqlStores } from 'serval/engines/sql'
import { setup } from 'serval/host'
import { dataFolder, oneProcess } from './one-process.ts'

/** One process, embedded stores, nothing else installed. */
export default setup('kitten', (settings) => ({
  ...oneProcess(settings),
  stores: sqlStores(pglite({ folder: `${dataFolder(settings)}/database` })),
}))

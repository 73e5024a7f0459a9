import { pglite } from 'serval/engines/pglite'
import { sqlStores } from 'serval/engines/sql'
import { setup } from 'serval/host'
import { fleetOf } from './fleet.ts'
import { dataFolder, oneProcess } from './one-process.ts'

/** Lending works within one data folder: elsewhere each host would have a database of its own. */
const supervised = {
  form: 'http',
  because:
    'which serval up sets: an embedded database is shared by the processes of one supervisor only',
}

/** One process, embedded stores, nothing else installed. As a fleet, the first process lends its database to the others. */
export default setup('kitten', (settings) => {
  const fleet = fleetOf(settings, { shop: { services: 'all', edge: true } }, supervised)
  const shared = fleet.directory !== undefined
  return {
    ...oneProcess(settings),
    stores: sqlStores(pglite({ folder: `${dataFolder(settings)}/database`, shared })),
    fleet,
  }
})

import { setup } from 'serval/host'
import { fleetOf } from './fleet.ts'
import { onPostgres } from './on-postgres.ts'

/** Equal copies of everything behind an edge, on a PostgreSQL server: more copies, more cores. */
export default setup('cheetah', (settings) => ({
  ...onPostgres(settings, 4),
  fleet: fleetOf(settings, {
    edge: { services: [], edge: true },
    shop: { services: 'all', edge: false, replicas: 2 },
  }),
}))

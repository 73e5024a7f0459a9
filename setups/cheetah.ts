import { setup } from 'serval/host'
import bigCat from './big-cat.ts'
import { fleetOf } from './fleet.ts'

/** Equal copies of everything behind an edge, on a PostgreSQL server: more copies, more cores. */
export default setup('cheetah', (settings) => ({
  ...bigCat.wire(settings),
  fleet: fleetOf(settings, {
    edge: { services: [], edge: true },
    shop: { services: 'all', edge: false, replicas: 2 },
  }),
}))

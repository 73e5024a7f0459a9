import { setup } from 'serval/host'
import { fleetOf } from './fleet.ts'
import { onPostgres } from './on-postgres.ts'

const alone = (service: string, replicas = 1) => ({
  [service]: { services: [service], edge: false, replicas },
})

/** Each service its own processes, edges apart, on a PostgreSQL server: each is scaled by itself. */
export default setup('tiger', (settings) => ({
  ...onPostgres(settings, 8),
  fleet: fleetOf(settings, {
    edge: { services: [], edge: true },
    ...alone('accounts'),
    ...alone('catalog'),
    ...alone('inventory'),
    ...alone('orders', 2),
    ...alone('payments'),
    ...alone('acquirer'),
    ...alone('notifications'),
    ...alone('analytics'),
  }),
}))

import { setup } from 'serval/host'
import { onPostgres } from './on-postgres.ts'

/** One process on a PostgreSQL server: a database and a role for each service. */
export default setup('big-cat', (settings) => onPostgres(settings, 8))

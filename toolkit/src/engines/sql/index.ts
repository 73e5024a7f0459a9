import type { StoreEngine } from '../../store/engine.ts'
import type { SqlServer } from './database.ts'
import { openSqlStore } from './store.ts'

export { GuardFailed, SqlError } from './database.ts'
export type {
  SqlColumn,
  SqlDatabase,
  SqlGuard,
  SqlRow,
  SqlRowsWrite,
  SqlServer,
  SqlSession,
  SqlValue,
} from './database.ts'
export { sqlRepository } from './repository.ts'
export type { RepositorySession, SqlRepository } from './repository.ts'
export type { Migration } from './schema.ts'

/** The stores of a setup's services on one SQL server, each service with a database of its own. */
export const sqlStores = (server: SqlServer): StoreEngine => ({
  name: server.name,
  exclusive: server.exclusive,
  open: (service, repositories, env) => openSqlStore(server, service, repositories, env),
  close: () => server.close(),
})

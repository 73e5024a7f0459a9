import type { StoreEngine } from '../../store/engine.ts'
import { emptyState, loadRepositories, memoryStore, type State } from './store.ts'

export { memoryRepository } from './repository.ts'
export type { MemoryRepository, MemorySession } from './repository.ts'
export type { Table } from './tables.ts'

/**
 * Stores in this process's plain memory, gone when it ends: for tests and for simulations. Whoever opens a service's
 * store again, after a restart or as a second host, finds what is there.
 */
export const memoryStores = (): StoreEngine => {
  const states = new Map<string, State>()
  return {
    name: 'memory',
    // Hosts in one process share it, as hosts of a fleet share a server.
    exclusive: false,
    open: async (service, repositories, env) => {
      const implementations = await loadRepositories(service, repositories)
      const state = states.get(service) ?? emptyState()
      states.set(service, state)
      return memoryStore(state, service, implementations, env)
    },
    close: async () => states.clear(),
  }
}

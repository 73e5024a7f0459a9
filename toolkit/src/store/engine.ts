import type { Env } from '../base/env.ts'
import type { RepositoryType } from './repository.ts'
import type { Store } from './store.ts'

/** What a setup names to say where state lives: it opens each service's store. */
export interface StoreEngine {
  /** For people: the engine and where it is, without secrets. */
  readonly name: string
  /** Only one process can have it open (an embedded engine). */
  readonly exclusive: boolean
  /** Creates what is missing, migrates, and loads the repositories' implementations. Rejects with `cannot-start`. */
  open(
    service: string,
    repositories: Readonly<Record<string, RepositoryType>>,
    env: Env,
  ): Promise<Store>
  close(): Promise<void>
}

import type { z } from 'zod'
import type { Env } from '../base/env.ts'
import type { ServiceCache } from '../cache/index.ts'
import type { Client, Contract, PublishedEvent } from '../contract/index.ts'
import type { Caller } from '../link/call.ts'
import type { RepositoriesOf, RepositoryType } from '../store/repository.ts'
import type { Logger } from '../telemetry/log.ts'

export type Uses = Readonly<Record<string, Contract>>
export type RepositoryTypes = Readonly<Record<string, RepositoryType>>

/** Something outside of the system that a service needs and a setup provides: a mail server, a hash function. */
export interface PortType<P = unknown> {
  readonly type?: P
}
export const port = <P>(): PortType<P> => Object.freeze({})
export type PortTypes = Readonly<Record<string, PortType>>
export type PortsOf<T extends PortTypes> = {
  readonly [K in keyof T]: T[K] extends PortType<infer P> ? P : never
}

/** What a step can do: change rows through the repositories, publish, and set jobs. All of it commits, or none. */
export type Step<R extends RepositoryTypes> = RepositoriesOf<R> & {
  readonly env: Env
  /** Publishes when the step commits. Only for a key whose row this step writes. */
  emit<E extends PublishedEvent>(type: E, data: z.input<E['data']>): void
  /** Runs the service's job `name` once at `at` (milliseconds); a later call with the same key moves it. */
  schedule(
    name: string,
    job: { readonly key: string; readonly at: number; readonly data?: unknown },
  ): void
  unschedule(name: string, key: string): void
  /**
   * Forgets what this service remembers of a user's calls under idempotency keys: for erasure, once no access token of that
   * user can be valid any more. A call that is repeated afterwards would run again.
   */
  forgetReplies(userId: string): void
}

/** What a handler is given. */
export interface Context<U extends Uses, R extends RepositoryTypes, P extends PortTypes> {
  readonly env: Env
  readonly log: Logger
  readonly caller: Caller
  /** Ties together all that one request led to. */
  readonly correlationId: string
  /** Aborts when the caller gives up or the host stops. */
  readonly signal: AbortSignal
  /** The services that this one uses; calling them inside a step is refused. */
  readonly uses: { readonly [K in keyof U]: Client<U[K]> }
  readonly ports: PortsOf<P>
  /** 32 bytes for a purpose, the same on every host of a setup, derived from its master secret (HKDF, RFC 5869). */
  secret(purpose: string): Promise<Uint8Array<ArrayBuffer>>
  /** This service's own cache; its entries are dropped by the tags that this contract's events purge. */
  readonly cache: ServiceCache
  /**
   * For feeds: yields once at once, and then after each event that this service publishes under the key, on whichever
   * host, until the caller is gone. Several events may come as one, so read what changed from the store.
   */
  changes(key: string): AsyncIterable<void>
  read<T>(work: (repositories: RepositoriesOf<R>) => Promise<T>): Promise<T>
  /** At most once a handler. `work` may run again on a conflict: it calls nobody and has no effects of its own. */
  step<T>(work: (step: Step<R>) => Promise<T>): Promise<T>
}

/**
 * A repository port: the service declares it, each engine's file implements it. `scope` says what a step may touch: any
 * rows of the service, or one aggregate (which is then enough for stores without wide transactions).
 */
export interface RepositoryType<R = unknown> {
  readonly scope: 'service' | 'aggregate'
  /** One loader per engine family, so that an engine that is not used is never imported. */
  readonly engines: { readonly [engine: string]: () => Promise<unknown> }
  /** Only for inference. */
  readonly type?: R
}

/** Declares a repository. `engines.sql` answers an `SqlRepository`. */
export const repository = <R>(options: Omit<RepositoryType<R>, 'type'>): RepositoryType<R> =>
  Object.freeze(options)

export type RepositoriesOf<T extends Readonly<Record<string, RepositoryType>>> = {
  readonly [K in keyof T]: T[K] extends RepositoryType<infer R> ? R : never
}

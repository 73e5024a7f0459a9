/** A host as others reach it. */
export interface Peer {
  /** Of the process: a host that starts again is another. */
  readonly id: string
  /** Scheme, host and port of its link, such as `http://10.0.0.7:7070`. */
  readonly address: string
  /** Contracts that it serves. */
  readonly contracts: readonly string[]
}

/** Under which name a host says that it answers for a contract's log, which it does before it takes calls: hosts that start together read each other's. */
export const logOf = (contract: string): string => `${contract}$log`

/** Says where each contract is served. What it says may be old: links find out, and balance around it. */
export interface Directory {
  /**
   * Tells which hosts serve, at once and after each change; it goes on with what it knew while its source is away. `failed` hears why, once
   * until the source answers again. Answers how to end it.
   */
  watch(told: (peers: readonly Peer[]) => void, failed?: (error: unknown) => void): () => void
  /** Tells others that this host serves, or, with undefined, no longer does; resolves when that is known there, or after a second. */
  announce(self: Peer | undefined): Promise<void>
}

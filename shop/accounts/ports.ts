import type { AccessClaims } from './sessions/claims.ts'

/**
 * Hashes passwords, slowly on purpose. Rejects with `overloaded` when too many wait; whoever waits leaves when the signal
 * aborts.
 */
export interface PasswordHasher {
  /** A text that holds salt and parameters beside the hash. */
  hash(password: string, signal: AbortSignal): Promise<string>
  verify(password: string, hash: string, signal: AbortSignal): Promise<boolean>
  /** A hash of no password, as costly to verify as any: for users that do not exist. */
  readonly decoy: string
}

/** Signs access tokens with Ed25519 keys, each given as its 32-byte seed. */
export interface TokenSigner {
  /** The public key: `x` of its JWK. */
  publicKey(seed: Uint8Array): Promise<string>
  sign(
    claims: AccessClaims,
    key: { readonly kid: string; readonly seed: Uint8Array },
  ): Promise<string>
}

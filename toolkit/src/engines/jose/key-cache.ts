import { importJWK, type JWK } from 'jose'
import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'

/** A JWK set (RFC 7517); keys that are not Ed25519 signing keys are passed over. */
export interface KeySet {
  readonly keys: readonly JWK[]
}

export interface KeyCacheOptions {
  readonly env: Env
  readonly fetch: () => Promise<KeySet>
  /** An unknown `kid` has the set fetched again at most once in this time. */
  readonly refetchMs: number
  /** A set older than this is fetched again beside the work, so that a key that was withdrawn is forgotten. */
  readonly maxAgeMs: number
}

type Keys = ReadonlyMap<string, CryptoKey>

/**
 * Finds a public key by its `kid`. Rejects with `unavailable` when it had to ask for the set and got no answer: then
 * nothing is known about the token, and whoever sent it need not sign in again.
 */
export const keyCache = (options: KeyCacheOptions) => {
  let known: { readonly keys: Keys; readonly at: number } | undefined
  let fetching: Promise<Keys> | undefined

  const fetched = async (): Promise<Keys> => {
    try {
      const keys = await imported(await options.fetch())
      known = { keys, at: options.env.now() }
      return keys
    } catch (cause) {
      throw failure('unavailable', 'The keys that sign access tokens cannot be read now', { cause })
    } finally {
      fetching = undefined
    }
  }
  const fetchOnce = () => (fetching ??= fetched())

  return async (kid: string): Promise<CryptoKey | undefined> => {
    // A clock that was set back tells no age: the further it went, the older the set is taken to be.
    const age = known === undefined ? Infinity : Math.abs(options.env.now() - known.at)
    const key = known?.keys.get(kid)
    if (key === undefined) return age < options.refetchMs ? undefined : (await fetchOnce()).get(kid)
    // The old set serves on while its publisher is away; the next call tries again.
    if (age >= options.maxAgeMs) fetchOnce().catch(() => undefined)
    return key
  }
}

const imported = async (set: KeySet): Promise<Keys> => {
  const keys = new Map<string, CryptoKey>()
  for (const { kid, kty, crv, x, use, alg } of set.keys) {
    if (kid === undefined || kty !== 'OKP' || crv !== 'Ed25519' || x === undefined) continue
    if ((use ?? 'sig') !== 'sig' || (alg ?? 'EdDSA') !== 'EdDSA') continue
    const key = await importJWK({ kty, crv, x }, 'EdDSA')
    if (!(key instanceof Uint8Array)) keys.set(kid, key)
  }
  return keys
}

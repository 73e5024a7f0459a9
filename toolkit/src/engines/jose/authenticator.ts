import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose'
import { milliseconds, type Duration } from '../../base/duration.ts'
import type { Env } from '../../base/env.ts'
import { keyCache, type KeySet } from './key-cache.ts'

export interface JwtAuthenticatorOptions {
  /** Fetches the published keys. */
  readonly keys: () => Promise<KeySet>
  readonly issuer: string
  readonly audience: string
  readonly env: Env
  /** How often an unknown `kid` may have the keys fetched again, default 5s. A new key is published at least so long before it signs. */
  readonly refetch?: Duration
  /** How long the keys are used before they are fetched again, default 5m. */
  readonly maxAge?: Duration
  /** How far clocks may differ, default 5s. */
  readonly clockTolerance?: Duration
}

export interface AuthenticatedUser {
  readonly kind: 'user'
  readonly id: string
  readonly roles: readonly string[]
  readonly session: string
}

const longest = 4_096

/**
 * Three parts of unpadded base64url, the last of them the 64 bytes of an Ed25519 signature. Its last letter carries two
 * bits only: with the other four free, one token could be written in sixteen ways.
 */
const form = /^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/

const headers = new Set(['alg', 'kid', 'typ'])

/** The `kid` of a token in our form. A header with anything more (`jwk`, `jku`, `x5u`, `crit` …) is not ours. */
const kidOf = (token: string): string | undefined => {
  if (token.length > longest || !form.test(token)) return undefined
  try {
    const header = decodeProtectedHeader(token)
    if (Object.keys(header).some((name) => !headers.has(name))) return undefined
    return header.alg === 'EdDSA' && typeof header.kid === 'string' ? header.kid : undefined
  } catch {
    // Not base64url of JSON: as little a token of ours as any other text.
    return undefined
  }
}

const userOf = ({ sub, sid, roles }: JWTPayload): AuthenticatedUser | undefined =>
  typeof sub === 'string' &&
  sub !== '' &&
  typeof sid === 'string' &&
  sid !== '' &&
  Array.isArray(roles) &&
  roles.every((role) => typeof role === 'string')
    ? { kind: 'user', id: sub, roles, session: sid }
    : undefined

/**
 * Tells who an access token (RFC 9068, EdDSA) speaks for; undefined for whatever is not a valid token of this issuer for
 * this audience at this moment. Rejects with `unavailable` only when the keys cannot be fetched.
 */
export const jwtAuthenticator = (
  options: JwtAuthenticatorOptions,
): ((token: string) => Promise<AuthenticatedUser | undefined>) => {
  const { env, issuer, audience } = options
  const keyOf = keyCache({
    env,
    fetch: options.keys,
    refetchMs: milliseconds(options.refetch ?? '5s', 'refetch'),
    maxAgeMs: milliseconds(options.maxAge ?? '5m', 'maxAge'),
  })
  const clockTolerance = milliseconds(options.clockTolerance ?? '5s', 'clockTolerance') / 1_000
  return async (token) => {
    const kid = kidOf(token)
    const key = kid === undefined ? undefined : await keyOf(kid)
    if (key === undefined) return undefined
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['EdDSA'],
        typ: 'at+jwt',
        issuer,
        audience,
        requiredClaims: ['sub', 'sid', 'iat', 'nbf', 'exp', 'jti'],
        clockTolerance,
        currentDate: new Date(env.now()),
      })
      return userOf(payload)
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}

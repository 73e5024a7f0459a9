import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose'
import { milliseconds, type Duration } from '../../base/duration.ts'
import { systemEnv, type Env } from '../../base/env.ts'
import { keyCache, type KeySet } from './key-cache.ts'

export interface JwtAuthenticatorOptions {
  /** Fetches the published keys. */
  readonly keys: () => Promise<KeySet>
  readonly issuer: string
  readonly audience: string
  /** Default: the real clock. */
  readonly env?: Env
  /** How often an unknown `kid` may have the keys fetched again, default 5s. A new key is published at least so long before it signs. */
  readonly refetch?: Duration
  /** How long the keys are used before they are fetched again, default 5m. */
  readonly maxAge?: Duration
  /** How far clocks may differ, default 5s. */
  readonly clockTolerance?: Duration
  /** Tokens whose signature need not be checked again, default 10,000. */
  readonly remembered?: number
}

export interface AuthenticatedUser {
  readonly kind: 'user'
  readonly id: string
  readonly roles: readonly string[]
  readonly session: string
}

interface Verified {
  readonly kid: string
  readonly key: CryptoKey
  readonly user: AuthenticatedUser
  /** Milliseconds; the clock tolerance is counted in. */
  readonly validFrom: number
  readonly validUntil: number
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
    ? Object.freeze({ kind: 'user', id: sub, roles: Object.freeze(roles), session: sid })
    : undefined

/**
 * Tells who an access token (RFC 9068, EdDSA) speaks for; undefined for whatever is not a valid token of this issuer for
 * this audience at this moment. Rejects with `unavailable` only when the keys cannot be fetched. A client sends one token
 * for ten minutes, and a signature costs more than most calls (0.1 to 0.2 ms): a token found valid is remembered, and
 * from then on only its times and its key are looked at.
 */
export const jwtAuthenticator = (
  options: JwtAuthenticatorOptions,
): ((token: string) => Promise<AuthenticatedUser | undefined>) => {
  const { env = systemEnv(), issuer, audience, remembered = 10_000 } = options
  const keyOf = keyCache({
    env,
    fetch: options.keys,
    refetchMs: milliseconds(options.refetch ?? '5s', 'refetch'),
    maxAgeMs: milliseconds(options.maxAge ?? '5m', 'maxAge'),
  })
  const toleranceMs = milliseconds(options.clockTolerance ?? '5s', 'clockTolerance')
  const verified = new Map<string, Verified>()

  const remember = (token: string, one: Verified) => {
    const oldest = verified.size < remembered ? undefined : verified.keys().next().value
    if (oldest !== undefined) verified.delete(oldest)
    if (remembered > 0) verified.set(token, one)
  }

  const verify = async (token: string, kid: string, key: CryptoKey) => {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['EdDSA'],
        typ: 'at+jwt',
        issuer,
        audience,
        requiredClaims: ['sub', 'sid', 'iat', 'nbf', 'exp', 'jti'],
        clockTolerance: toleranceMs / 1_000,
        currentDate: new Date(env.now()),
      })
      const user = userOf(payload)
      const { nbf, exp } = payload
      if (user === undefined || nbf === undefined || exp === undefined) return undefined
      const validFrom = nbf * 1_000 - toleranceMs
      remember(token, { kid, key, user, validFrom, validUntil: exp * 1_000 + toleranceMs })
      return user
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }

  return async (token) => {
    const known = verified.get(token)
    const kid = known?.kid ?? kidOf(token)
    const key = kid === undefined ? undefined : await keyOf(kid)
    if (kid === undefined || key === undefined) return undefined
    const now = env.now()
    if (known?.key === key && now >= known.validFrom && now < known.validUntil) return known.user
    verified.delete(token)
    return verify(token, kid, key)
  }
}

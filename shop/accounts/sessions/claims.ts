import type { UserRecord } from '../repository.ts'

/** Seconds. */
export const accessTokenLife = 600
/** How long a token may be accepted after it was made: those who verify allow 5 s, and clocks differ. */
export const tokensUsableMs = accessTokenLife * 1_000 + 10_000
export const issuer = 'serval-shop'
export const audience = 'serval-shop'

/** What an access token says (RFC 9068); times are in seconds (RFC 7519). */
export interface AccessClaims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  /** The session: `sid` of the family of refresh tokens. */
  readonly sid: string
  readonly roles: readonly string[]
  readonly iat: number
  readonly nbf: number
  readonly exp: number
  readonly jti: string
}

export const accessClaims = (
  user: Pick<UserRecord, 'id' | 'roles'>,
  token: { readonly session: string; readonly id: string; readonly nowMs: number },
): AccessClaims => {
  const now = Math.floor(token.nowMs / 1_000)
  return {
    iss: issuer,
    aud: audience,
    sub: user.id,
    sid: token.session,
    roles: user.roles,
    iat: now,
    nbf: now,
    exp: now + accessTokenLife,
    jti: token.id,
  }
}

import { sha256, type Env } from 'serval'

/*
 * A refresh token is 48 random bytes in base64url. The first 16 are the same in a whole family and find it; the last 32
 * are new in each token. Only SHA-256 of both is stored: enough for random bits, and nothing that could be presented.
 * Whoever knows the locator has seen a token of the family, so that a token which is not the family's current one is
 * always a reuse, and nobody else can end a session by guessing. (The `sid`, which others see, would not do.)
 */

const locatorBytes = 16
const secretBytes = 32
const form = /^[\w-]{64}$/

export interface RefreshToken {
  readonly text: string
  /** SHA-256 of the family's part. */
  readonly locator: string
  /** SHA-256 of the whole token. */
  readonly hash: string
}

const fromBytes = (bytes: Uint8Array): RefreshToken => ({
  text: Buffer.from(bytes).toString('base64url'),
  locator: sha256(bytes.subarray(0, locatorBytes), 'base64url'),
  hash: sha256(bytes, 'base64url'),
})

/** The first token of a new family. */
export const newToken = (env: Env): RefreshToken => fromBytes(env.bytes(locatorBytes + secretBytes))

/** Another token of the same family. */
export const nextToken = (env: Env, token: RefreshToken): RefreshToken => {
  const family = Buffer.from(token.text, 'base64url').subarray(0, locatorBytes)
  return fromBytes(new Uint8Array([...family, ...env.bytes(secretBytes)]))
}

/** Undefined for a text that was never a token. */
export const readToken = (text: string): RefreshToken | undefined =>
  form.test(text) ? fromBytes(Buffer.from(text, 'base64url')) : undefined

import type { Env } from 'serval'

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

const sha256 = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('base64url')

const fromBytes = async (bytes: Uint8Array<ArrayBuffer>): Promise<RefreshToken> => ({
  text: Buffer.from(bytes).toString('base64url'),
  locator: await sha256(bytes.slice(0, locatorBytes)),
  hash: await sha256(bytes),
})

/** The first token of a new family. */
export const newToken = (env: Env): Promise<RefreshToken> =>
  fromBytes(env.bytes(locatorBytes + secretBytes))

/** Another token of the same family. */
export const nextToken = (env: Env, token: RefreshToken): Promise<RefreshToken> => {
  const family = Buffer.from(token.text, 'base64url').subarray(0, locatorBytes)
  return fromBytes(new Uint8Array([...family, ...env.bytes(secretBytes)]))
}

/** Undefined for a text that was never a token. */
export const readToken = async (text: string): Promise<RefreshToken | undefined> =>
  form.test(text) ? fromBytes(new Uint8Array(Buffer.from(text, 'base64url'))) : undefined

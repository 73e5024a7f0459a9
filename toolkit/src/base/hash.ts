import { createHmac, hash, timingSafeEqual } from 'node:crypto'

/*
 * Hashes of small texts, made at once. WebCrypto hands each to a thread and back, which on Node costs some ten times
 * what the hash does. Node, Bun and Deno all have node:crypto; nothing else of the core may use it.
 */

/** SHA-256 (FIPS 180-4) of bytes, or of a text in UTF-8. */
export const sha256 = (data: string | Uint8Array, encoding: 'hex' | 'base64url'): string =>
  hash('sha256', data, encoding)

/** HMAC-SHA-256 (RFC 2104), 32 bytes. */
export const hmacSha256 = (key: Uint8Array, data: string | Uint8Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array(createHmac('sha256', key).update(data).digest())

/** Whether two byte strings are the same; of equal lengths it takes as long whatever differs. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b)

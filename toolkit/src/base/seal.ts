import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Env } from './env.ts'
import { failure } from './failure.ts'

const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16
const options = { authTagLength: tagBytes }

/**
 * Encrypts what must not lie readable in a database: AES-256-GCM (NIST SP 800-38D) under a key of 32 bytes. The result is a
 * random nonce of 96 bits, the ciphertext and the tag of 128 bits. `place` (the id of a row, say) is bound to it: what is
 * moved elsewhere does not open. A key is good for some 2^32 sealings.
 */
export const seal = (
  env: Pick<Env, 'bytes'>,
  key: Uint8Array,
  place: string | Uint8Array,
  plain: string | Uint8Array,
): Uint8Array<ArrayBuffer> => {
  const nonce = env.bytes(nonceBytes)
  const cipher = createCipheriv(algorithm, key, nonce, options)
  cipher.setAAD(bytesOf(place))
  const text = cipher.update(bytesOf(plain))
  // A stream cipher: all is written by now.
  cipher.final()
  const sealed = new Uint8Array(nonceBytes + text.length + tagBytes)
  sealed.set(nonce)
  sealed.set(text, nonceBytes)
  sealed.set(cipher.getAuthTag(), nonceBytes + text.length)
  return sealed
}

/** What `seal` was given. Throws when the key, the place or a byte is another. */
export const unseal = (
  key: Uint8Array,
  place: string | Uint8Array,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> => {
  const end = sealed.length - tagBytes
  if (end < nonceBytes) throw unreadable()
  try {
    const nonce = sealed.subarray(0, nonceBytes)
    const decipher = createDecipheriv(algorithm, key, nonce, options)
    decipher.setAAD(bytesOf(place))
    decipher.setAuthTag(sealed.subarray(end))
    const plain = new Uint8Array(decipher.update(sealed.subarray(nonceBytes, end)))
    // Throws unless the tag is right: not before that may anything be answered.
    decipher.final()
    return plain
  } catch (cause) {
    throw unreadable(cause)
  }
}

const utf8 = new TextEncoder()
const bytesOf = (data: string | Uint8Array): Uint8Array =>
  typeof data === 'string' ? utf8.encode(data) : data

const unreadable = (cause?: unknown) =>
  failure(
    'internal',
    'Sealed bytes do not open: they were changed, moved to another place, or sealed under another key',
    { cause },
  )

import type { Env } from 'serval'

type Bytes = Uint8Array<ArrayBuffer>

const nonceBytes = 12
const utf8 = new TextEncoder()

const aesKey = (key: Bytes, use: 'encrypt' | 'decrypt') =>
  crypto.subtle.importKey('raw', key, 'AES-GCM', false, [use])

/** AES-256-GCM: the nonce, then the ciphertext. It opens only in the same place (a row's id), so that rows cannot be swapped. */
export const seal = async (env: Env, key: Bytes, place: string, plain: Bytes): Promise<Bytes> => {
  const iv = env.bytes(nonceBytes)
  const algorithm = { name: 'AES-GCM', iv, additionalData: utf8.encode(place) }
  const sealed = await crypto.subtle.encrypt(algorithm, await aesKey(key, 'encrypt'), plain)
  return new Uint8Array([...iv, ...new Uint8Array(sealed)])
}

/** Rejects when the key, the place or a byte is another. */
export const unseal = async (key: Bytes, place: string, sealed: Uint8Array): Promise<Bytes> => {
  const iv = new Uint8Array(sealed.subarray(0, nonceBytes))
  const algorithm = { name: 'AES-GCM', iv, additionalData: utf8.encode(place) }
  const text = new Uint8Array(sealed.subarray(nonceBytes))
  return new Uint8Array(await crypto.subtle.decrypt(algorithm, await aesKey(key, 'decrypt'), text))
}

/** A key that needs both our secret and what only the caller has (HMAC-SHA-256 as the extract step of RFC 5869). */
export const keyWith = async (secret: Bytes, callers: string): Promise<Bytes> => {
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', secret, hmac, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign(hmac, key, utf8.encode(callers)))
}

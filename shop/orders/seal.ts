/*
 * Encrypts what must not lie readable in a database: AES-256-GCM with a random 96-bit nonce in front (NIST SP 800-38D).
 * The order's id is bound to it, so that a sealed token moved to another order does not open.
 */

/** Keys that were made of a secret before. A host hands out the same bytes for a purpose each time. */
const keys = new WeakMap<Uint8Array, Promise<CryptoKey>>()

const keyOf = (secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> => {
  const key =
    keys.get(secret) ??
    crypto.subtle.importKey('raw', secret, 'AES-GCM', false, ['encrypt', 'decrypt'])
  keys.set(secret, key)
  return key
}

const encoder = new TextEncoder()

export const seal = async (
  text: string,
  orderId: string,
  secret: Uint8Array<ArrayBuffer>,
  nonce: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> => {
  const parameters = { name: 'AES-GCM', iv: nonce, additionalData: encoder.encode(orderId) }
  const sealed = await crypto.subtle.encrypt(parameters, await keyOf(secret), encoder.encode(text))
  const out = new Uint8Array(nonce.length + sealed.byteLength)
  out.set(nonce)
  out.set(new Uint8Array(sealed), nonce.length)
  return out
}

/** Rejects when the bytes were changed, belong to another order, or were sealed under another secret. */
export const unseal = async (
  sealed: Uint8Array,
  orderId: string,
  secret: Uint8Array<ArrayBuffer>,
): Promise<string> => {
  const parameters = {
    name: 'AES-GCM',
    iv: new Uint8Array(sealed.slice(0, 12)),
    additionalData: encoder.encode(orderId),
  }
  return new TextDecoder().decode(
    await crypto.subtle.decrypt(parameters, await keyOf(secret), new Uint8Array(sealed.slice(12))),
  )
}

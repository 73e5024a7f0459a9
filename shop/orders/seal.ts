/*
 * Encrypts what must not lie readable in a database: AES-256-GCM with a random 96-bit nonce in front (NIST SP 800-38D).
 * The order's id is bound to it, so that a sealed token moved to another order does not open.
 */

const key = (secret: Uint8Array<ArrayBuffer>) =>
  crypto.subtle.importKey('raw', secret, 'AES-GCM', false, ['encrypt', 'decrypt'])
const bound = (orderId: string) => new TextEncoder().encode(orderId)

export const seal = async (
  text: string,
  orderId: string,
  secret: Uint8Array<ArrayBuffer>,
  nonce: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> => {
  const parameters = { name: 'AES-GCM', iv: nonce, additionalData: bound(orderId) }
  const sealed = await crypto.subtle.encrypt(
    parameters,
    await key(secret),
    new TextEncoder().encode(text),
  )
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
    additionalData: bound(orderId),
  }
  return new TextDecoder().decode(
    await crypto.subtle.decrypt(parameters, await key(secret), new Uint8Array(sealed.slice(12))),
  )
}

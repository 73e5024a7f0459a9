/*
 * All that the core may use of Node: tsconfig.core.json puts this in place of node:crypto's own types, which bring all of
 * Node's globals along.
 */

export function hash(
  algorithm: 'sha256',
  data: string | Uint8Array,
  encoding: 'hex' | 'base64url',
): string
export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean

interface Hmac {
  update(data: string | Uint8Array): Hmac
  digest(): Uint8Array
}
export function createHmac(algorithm: 'sha256', key: Uint8Array): Hmac

interface Coder {
  setAAD(data: Uint8Array): Coder
  update(data: Uint8Array): Uint8Array
  final(): Uint8Array
}
type Create<T extends Coder> = (
  algorithm: 'aes-256-gcm',
  key: Uint8Array,
  nonce: Uint8Array,
  options: { readonly authTagLength: number },
) => T
export const createCipheriv: Create<Coder & { getAuthTag(): Uint8Array }>
export const createDecipheriv: Create<Coder & { setAuthTag(tag: Uint8Array): Coder }>

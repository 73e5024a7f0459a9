import { SignJWT } from 'jose'

/** Signs access tokens (RFC 9068) with Ed25519 (RFC 8037). It keeps no key: whoever calls stores the seeds. */
export interface JoseSigner {
  /** The public key of a 32-byte seed, which is an Ed25519 private key (RFC 8032): its `x` in a JWK. */
  publicKey(seed: Uint8Array): Promise<string>
  /** A compact JWS of the claims as they are: times and ids are the caller's. The same input gives the same token. */
  sign(
    claims: Readonly<Record<string, unknown>>,
    key: { readonly kid: string; readonly seed: Uint8Array },
  ): Promise<string>
}

/** What comes before the seed in PKCS #8 (RFC 8410, section 7). */
const pkcs8Head = [
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]

export const privateKey = (seed: Uint8Array, extractable: boolean): Promise<CryptoKey> =>
  crypto.subtle.importKey(
    'pkcs8',
    new Uint8Array([...pkcs8Head, ...seed]),
    'Ed25519',
    extractable,
    ['sign'],
  )

export const joseSigner = (): JoseSigner => ({
  publicKey: async (seed) => {
    const { x } = await crypto.subtle.exportKey('jwk', await privateKey(seed, true))
    if (x === undefined) throw new TypeError('an exported Ed25519 key has no x')
    return x
  },
  sign: async (claims, key) =>
    new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: key.kid })
      .sign(await privateKey(key.seed, false)),
})

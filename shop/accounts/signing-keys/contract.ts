import { command, get, post, query } from 'serval'
import { z } from 'zod'

/** A public key of RFC 7517, as this shop uses it (RFC 8037: EdDSA). */
export const PublicKey = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  kid: z.string(),
  use: z.literal('sig'),
  alg: z.literal('EdDSA'),
})

export const signingKeyOperations = {
  keys: query({
    summary: 'The keys that sign access tokens',
    access: 'public',
    http: get('/.well-known/jwks.json', { etag: true }),
    input: z.object({}),
    output: z.object({ keys: z.array(PublicKey) }),
  }),
  rotateSigningKey: command({
    summary: 'Publishes a new signing key, which signs half a minute later',
    access: 'operator',
    repeat: 'natural',
    http: post('/operator/v1/signing-keys/rotate'),
    input: z.object({}),
    output: z.object({ kid: z.string(), signsFrom: z.string() }),
  }),
}

import type { z } from 'zod'
import { accessTokenLife } from './claims.ts'
import type { PublicKey } from './contract.ts'

/** A key pair that signs access tokens. Generations count up; each exists once, whoever makes it. */
export interface SigningKey {
  readonly generation: number
  readonly kid: string
  readonly publicKey: string
  /** The private key's seed, sealed. */
  readonly sealed: Uint8Array
  /** A successor is published before it signs, so that verifiers know it in time. */
  readonly signsFrom: number
  /** Undefined until it has a successor; then later than the end of its last token. */
  readonly publishedUntil: number | undefined
}

export const publishedKeys = (keys: readonly SigningKey[], now: number): SigningKey[] =>
  keys.filter((key) => key.publishedUntil === undefined || now < key.publishedUntil)

/** The newest whose time has come and that stays published for as long as a token lives. */
export const signingKey = (keys: readonly SigningKey[], now: number): SigningKey | undefined => {
  const usable = publishedKeys(keys, now + accessTokenLife * 1_000).sort(
    (a, b) => b.generation - a.generation,
  )
  // A lone key from a host whose clock is ahead signs at once: nobody knows an older one.
  return usable.find((key) => key.signsFrom <= now) ?? usable.at(-1)
}

export const nextGeneration = (keys: readonly SigningKey[]): number =>
  1 + Math.max(0, ...keys.map((key) => key.generation))

export const publicKeyView = (key: SigningKey): z.output<typeof PublicKey> => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x: key.publicKey,
  kid: key.kid,
  use: 'sig',
  alg: 'EdDSA',
})

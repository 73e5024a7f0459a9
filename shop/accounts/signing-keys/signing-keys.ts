import type { z } from 'zod'
import { accessTokenLife } from '../sessions/claims.ts'
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

/** Verifiers look for a key that they do not know every 5 s at most; the rest is for hosts whose clocks differ. */
export const announceMs = 30_000
/** How much longer than its last token lives a key stays published, and how long a host that is late may sign with it. */
const lingerMs = 60_000
export const rotateEveryMs = 24 * 3_600_000
const tokenMs = accessTokenLife * 1_000

export const publishedKeys = (keys: readonly SigningKey[], now: number): SigningKey[] =>
  keys.filter((key) => key.publishedUntil === undefined || now < key.publishedUntil)

/** The newest whose time has come and that stays published for as long as a token lives. */
export const signingKey = (keys: readonly SigningKey[], now: number): SigningKey | undefined => {
  const usable = publishedKeys(keys, now + tokenMs).sort((a, b) => b.generation - a.generation)
  // A lone key from a host whose clock is ahead signs at once: nobody knows an older one.
  return usable.find((key) => key.signsFrom <= now) ?? usable.at(-1)
}

const nextGeneration = (keys: readonly SigningKey[]): number =>
  1 + Math.max(0, ...keys.map((key) => key.generation))

type Fresh = Omit<SigningKey, 'generation' | 'signsFrom' | 'publishedUntil'>

/** The key that signs at once, for want of any other. */
export const firstKey = (keys: readonly SigningKey[], fresh: Fresh, now: number): SigningKey => ({
  ...fresh,
  generation: nextGeneration(keys),
  signsFrom: now,
  publishedUntil: undefined,
})

/** A key that is announced and does not sign yet: the rotation is under way. */
export const announced = (keys: readonly SigningKey[], now: number): SigningKey | undefined =>
  keys.find((key) => key.publishedUntil === undefined && now < key.signsFrom)

/** Whether the newest has signed for long enough. */
export const isDue = (keys: readonly SigningKey[], now: number): boolean =>
  keys.length > 0 && keys.every((key) => key.signsFrom + rotateEveryMs <= now)

/** A rotation: the new key, which others are told of before it signs, and those that it takes over from. */
export const rotation = (
  keys: readonly SigningKey[],
  fresh: Fresh,
  now: number,
): { readonly key: SigningKey; readonly retired: readonly SigningKey[] } => {
  const first = firstKey(keys, fresh, now)
  if (signingKey(keys, now) === undefined) return { key: first, retired: [] }
  const key = { ...first, signsFrom: now + announceMs }
  const publishedUntil = key.signsFrom + tokenMs + lingerMs
  const retired = keys.filter((one) => one.publishedUntil === undefined)
  return { key, retired: retired.map((one) => ({ ...one, publishedUntil })) }
}

export const publicKeyView = (key: SigningKey): z.output<typeof PublicKey> => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x: key.publicKey,
  kid: key.kid,
  use: 'sig',
  alg: 'EdDSA',
})

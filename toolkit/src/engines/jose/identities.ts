import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import type { Caller } from '../../link/call.ts'
import type { Identities } from '../../link/identity.ts'
import { joseSigner, privateKey } from './signer.ts'

export interface JoseIdentitiesOptions {
  readonly env: Env
  /** The 32 bytes that an issuer's Ed25519 key is made of (RFC 8032). Issuers are `edge` and `service:<name>`. */
  readonly seedOf: (issuer: string) => Promise<Uint8Array>
  /** Tokens that are kept so as not to be signed, or checked, again; default 10,000 of each. */
  readonly remembered?: number
}

const lifeMs = 60_000
const renewedMs = 30_000
const toleranceMs = 5_000
const mostIssuers = 1_000
const typ = 'serval-id+jwt'

const Claims = z.object({
  iss: z.string(),
  aud: z.string(),
  exp: z.number(),
  caller: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('anonymous') }),
    z.strictObject({ kind: z.literal('operator') }),
    z.strictObject({ kind: z.literal('service'), name: z.string() }),
    z.strictObject({
      kind: z.literal('user'),
      id: z.string(),
      roles: z.array(z.string()),
      session: z.string(),
    }),
  ]),
})

/** Who may say so: the edge of everyone but services, a service of itself alone. */
const issuerOf = (caller: Caller): string =>
  caller.kind === 'service' ? `service:${caller.name}` : 'edge'

const kidOf = (token: string): string | undefined => {
  try {
    return decodeProtectedHeader(token).kid
  } catch {
    return undefined
  }
}

interface Signed {
  /** A promise until it is made. */
  token: string | Promise<string>
  until: number
}

interface Verified {
  readonly caller: Caller
  readonly until: number
  readonly audience: string
}

/** A map that lets go of its oldest entries. */
class Recent<V> extends Map<string, V> {
  readonly #limit: number
  constructor(limit: number) {
    super()
    this.#limit = limit
  }
  override set(key: string, value: V): this {
    const [oldest] = this.size < this.#limit ? [] : this.keys()
    if (oldest !== undefined) this.delete(oldest)
    return super.set(key, value)
  }
}

/** Identities as JWTs (RFC 7519) with Ed25519 (RFC 8037), one minute long. */
export const joseIdentities = (options: JoseIdentitiesOptions): Identities => {
  const { env, seedOf, remembered = 10_000 } = options
  const signed = new Recent<Signed>(remembered)
  /** Who called each audience last: mostly it is who calls it next. */
  const latest = new Recent<{ readonly caller: Caller; readonly signed: Signed }>(remembered)
  const verified = new Recent<Verified>(remembered)
  // Anyone may name an issuer.
  const keys = new Recent<Promise<{ private: CryptoKey; public: CryptoKey }>>(mostIssuers)

  const keysOf = (issuer: string) => {
    const made = async () => {
      const seed = await seedOf(issuer)
      const x = await joseSigner().publicKey(seed)
      const jwk = { kty: 'OKP', crv: 'Ed25519', x }
      return {
        private: await privateKey(seed, false),
        public: await crypto.subtle.importKey('jwk', jwk, 'Ed25519', false, ['verify']),
      }
    }
    let known = keys.get(issuer)
    if (known === undefined) {
      keys.set(issuer, (known = made()))
      known.catch(() => keys.delete(issuer))
    }
    return known
  }

  const make = async (caller: Caller, audience: string): Promise<string> => {
    const issuer = issuerOf(caller)
    return new SignJWT({ caller })
      .setProtectedHeader({ alg: 'EdDSA', typ, kid: issuer })
      .setIssuer(issuer)
      .setAudience(audience)
      .setExpirationTime(new Date(env.now() + lifeMs))
      .sign((await keysOf(issuer)).private)
  }

  const check = async (token: string, audience: string) => {
    try {
      const kid = kidOf(token)
      // A key is made for each name: only for those of the form that issuers have.
      if (kid === undefined || !/^(edge|service:[\w$-]{1,64})$/.test(kid)) return undefined
      const { payload } = await jwtVerify(token, (await keysOf(kid)).public, {
        algorithms: ['EdDSA'],
        typ,
        audience,
        issuer: kid,
        requiredClaims: ['exp'],
        clockTolerance: toleranceMs / 1_000,
        currentDate: new Date(env.now()),
      })
      const { caller, exp } = Claims.parse(payload)
      if (issuerOf(caller) !== kid || exp * 1_000 > env.now() + lifeMs + toleranceMs + 1_000)
        return undefined
      return { caller, until: exp * 1_000 + toleranceMs }
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof z.ZodError) return undefined
      throw error
    }
  }

  const signedFor = (caller: Caller, audience: string): Signed => {
    const id = `${audience} ${JSON.stringify(caller)}`
    const known = signed.get(id)
    if (known !== undefined && env.now() < known.until) return known
    const token = make(caller, audience)
    const made: Signed = { token, until: env.now() + renewedMs }
    token.then(
      (text) => (made.token = text),
      () => (made.until = -Infinity),
    )
    signed.delete(id)
    signed.set(id, made)
    return made
  }

  const verifiedAnew = async (token: string, audience: string): Promise<Caller> => {
    verified.delete(token)
    const found = await check(token, audience)
    if (found === undefined)
      throw failure('unauthenticated', `the identity is not one that ${audience} takes`)
    verified.set(token, { ...found, audience })
    return found.caller
  }

  return {
    sign: (caller, audience) => {
      const last = latest.get(audience)
      if (last?.caller === caller && env.now() < last.signed.until) return last.signed.token
      const found = signedFor(caller, audience)
      latest.set(audience, { caller, signed: found })
      return found.token
    },
    verify: (token, audience) => {
      const known = verified.get(token)
      return known?.audience === audience && env.now() < known.until
        ? known.caller
        : verifiedAnew(token, audience)
    },
  }
}

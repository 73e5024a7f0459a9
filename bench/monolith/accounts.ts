import { createHash, randomBytes } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import type { Database } from './database.ts'
import { newId } from './ids.ts'
import { Problem } from './problem.ts'
import type { Login, Registration } from './schemas.ts'

export interface Caller {
  readonly id: string
  readonly roles: readonly string[]
}

interface UserRow {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly roles: readonly string[]
  readonly password_hash: string
}

/** As the contender's engine hashes: argon2id, 19 MiB, two passes, one lane. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 }
const decoy = `$argon2id$v=19$m=19456,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`
const issuer = 'monolith'
const tokenLifeSeconds = 600
const sessionLifeMs = 30 * 86_400_000
const rememberedTokens = 10_000

/** Registration, login, and who a token speaks for. */
export const accountsOf = async (database: Database) => {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', {
    crv: 'Ed25519',
    extractable: true,
  })
  const kid = (await exportJWK(publicKey)).x ?? ''

  const signIn = async (user: Omit<UserRow, 'password_hash'>) => {
    const refreshToken = randomBytes(32).toString('base64url')
    const session = newId()
    const accessToken = await new SignJWT({ roles: user.roles, sid: session })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
      .setSubject(user.id)
      .setIssuer(issuer)
      .setAudience(issuer)
      .setJti(newId())
      .setIssuedAt()
      .setExpirationTime(`${tokenLifeSeconds}s`)
      .sign(privateKey)
    const { id, email, name, roles } = user
    return {
      session: [
        session,
        id,
        createHash('sha256').update(refreshToken).digest(),
        new Date(Date.now() + sessionLifeMs),
      ],
      answer: {
        user: { id, email, name, roles },
        accessToken,
        expiresIn: tokenLifeSeconds,
        refreshToken,
      },
    }
  }
  const insertUser = `insert into users (id, email, name, roles, password_hash)
    values ($1, $2, $3, $4, $5) on conflict (email) do nothing returning 1 as added`
  const insertSession =
    'insert into sessions (id, user_id, refresh_hash, expires_at) values ($1, $2, $3, $4)'

  /** Tokens whose signature need not be checked again, as the contender remembers them. */
  const verified = new Map<string, { readonly caller: Caller; readonly until: number }>()

  return {
    register: async ({ email, password, name }: Registration, roles: readonly string[] = []) => {
      const user = { id: newId(), email: email.toLowerCase(), name, roles }
      const taken = await database.query('select 1 from users where email = $1', [user.email])
      if (taken.length > 0) throw new Problem(409, 'email-taken')
      const passwordHash = await hash(password, parameters)
      const { session, answer } = await signIn(user)
      await database.transaction(async (query) => {
        const added = await query(insertUser, [user.id, user.email, name, roles, passwordHash])
        if (added.length === 0) throw new Problem(409, 'email-taken')
        await query(insertSession, session)
      })
      return answer
    },

    login: async ({ email, password }: Login) => {
      const [user] = await database.query<UserRow>(
        'select id, email, name, roles, password_hash from users where email = $1',
        [email.toLowerCase()],
      )
      const matches = await verify(user?.password_hash ?? decoy, password)
      if (user === undefined || !matches) throw new Problem(401, 'sign-in-failed')
      const { session, answer } = await signIn(user)
      await database.query(insertSession, session)
      return answer
    },

    callerOf: async (authorization: string | undefined): Promise<Caller> => {
      const token = authorization?.startsWith('Bearer ') ? authorization.slice(7) : ''
      const known = verified.get(token)
      if (known !== undefined && Date.now() < known.until) return known.caller
      verified.delete(token)
      try {
        const { payload } = await jwtVerify<{ roles: string[] }>(token, publicKey, {
          issuer,
          audience: issuer,
          algorithms: ['EdDSA'],
          typ: 'at+jwt',
          requiredClaims: ['sub', 'exp'],
        })
        const caller = { id: payload.sub ?? '', roles: payload.roles }
        const oldest = verified.size < rememberedTokens ? undefined : verified.keys().next().value
        if (oldest !== undefined) verified.delete(oldest)
        verified.set(token, { caller, until: (payload.exp ?? 0) * 1_000 })
        return caller
      } catch {
        throw new Problem(401, 'unauthenticated')
      }
    },
  }
}

export type Accounts = Awaited<ReturnType<typeof accountsOf>>

export const mustBe = (caller: Caller, role: string): void => {
  if (!caller.roles.includes(role)) throw new Problem(403, 'forbidden')
}

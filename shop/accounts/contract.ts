import { command, contract, get, post, problem, query } from 'serval'
import { z } from 'zod'

export const Email = z
  .string()
  .trim()
  .max(254)
  .pipe(z.email('An e-mail address looks like name@example.org'))
/** 8 to 256 characters; nothing else is asked of it (NIST SP 800-63B). */
export const Password = z.string().min(8).max(256)
export const PersonName = z.string().trim().min(1).max(100)

export const User = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  roles: z.array(z.string()),
})
export const SignedIn = z.object({
  user: User,
  accessToken: z.string(),
  /** Seconds. */
  expiresIn: z.int(),
  refreshToken: z.string(),
})

export const EmailTaken = problem('email-taken', {
  kind: 'conflict',
  title: 'An account with this e-mail address exists',
})
export const SignInFailed = problem('sign-in-failed', {
  kind: 'unauthenticated',
  title: 'E-mail address or password is wrong',
})
export const RefreshRefused = problem('refresh-refused', {
  kind: 'unauthenticated',
  title: 'The refresh token is not valid; sign in again',
})
export const NoSuchUser = problem('no-such-user', {
  kind: 'not-found',
  title: 'There is no such user',
})

/** A public key of RFC 7517, as this shop uses it (RFC 8037: EdDSA). */
export const PublicKey = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  kid: z.string(),
  use: z.literal('sig'),
  alg: z.literal('EdDSA'),
})

export const accounts = contract('accounts', {
  operations: {
    register: command({
      summary: 'Opens an account and signs in',
      access: 'public',
      repeat: 'never',
      http: post('/api/v1/auth/register', { status: 201 }),
      input: z.object({ email: Email, password: Password, name: PersonName }),
      output: SignedIn,
      problems: [EmailTaken],
    }),
    login: command({
      summary: 'Signs in',
      access: 'public',
      repeat: 'never',
      http: post('/api/v1/auth/login'),
      input: z.object({ email: z.string().min(1).max(254), password: z.string().min(1).max(256) }),
      output: SignedIn,
      problems: [SignInFailed],
    }),
    refresh: command({
      summary: 'Trades a refresh token for a new pair',
      access: 'public',
      repeat: 'never',
      http: post('/api/v1/auth/refresh'),
      input: z.object({ refreshToken: z.string().min(1).max(500) }),
      output: SignedIn,
      problems: [RefreshRefused],
    }),
    keys: query({
      summary: 'The keys that sign access tokens',
      access: 'public',
      http: get('/.well-known/jwks.json', { etag: true }),
      input: z.object({}),
      output: z.object({ keys: z.array(PublicKey) }),
    }),
    /** Where to write to someone; asked when a mail is sent, so that erasure holds. */
    contact: query({
      summary: 'A user’s name and address',
      access: 'internal',
      input: z.object({ userId: z.string() }),
      output: z.object({ email: z.string(), name: z.string() }),
      problems: [NoSuchUser],
    }),
    /** For seeding: an account that is not there yet. */
    provide: command({
      summary: 'Opens an account if there is none with this address',
      access: 'internal',
      repeat: 'natural',
      input: z.object({
        email: Email,
        password: Password,
        name: PersonName,
        roles: z.array(z.string()),
      }),
      output: z.object({ added: z.boolean() }),
    }),
  },
})

import { command, post, problem } from 'serval'
import { z } from 'zod'
import { Email, Password, PersonName, Roles, TypedEmail, TypedPassword, User } from '../user.ts'

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
/** The same for addresses that have an account and for those that have none. */
export const SignInLocked = problem('sign-in-locked', {
  kind: 'limited',
  title: 'The password was wrong too often; try again later',
  data: z.object({ retryAfterSeconds: z.int() }),
  retryable: true,
})

export const signInOperations = {
  register: command({
    summary: 'Opens an account and signs in',
    access: 'public',
    repeat: 'never',
    http: post('/api/v1/auth/register', { status: 201 }),
    limit: { requests: 30, per: '10m', by: 'address' },
    input: z.object({ email: Email, password: Password, name: PersonName }),
    output: SignedIn,
    problems: [EmailTaken],
  }),
  login: command({
    summary: 'Signs in',
    access: 'public',
    repeat: 'never',
    http: post('/api/v1/auth/login'),
    limit: { requests: 60, per: '1m', by: 'address' },
    input: z.object({ email: TypedEmail, password: TypedPassword }),
    output: SignedIn,
    problems: [SignInFailed, SignInLocked],
  }),
  /**
   * For seeding: an account that is not there yet, with an address that counts as confirmed. Where an answer was lost, its repeat adds nothing
   * more, and says so.
   */
  provide: command({
    summary: 'Opens an account if there is none with this address',
    access: 'internal',
    repeat: 'natural',
    input: z.object({ email: Email, password: Password, name: PersonName, roles: Roles }),
    output: z.object({ added: z.boolean() }),
  }),
}

import { command, post, problem } from 'serval'
import { z } from 'zod'
import { LinkRefused, LinkToken } from '../mail/contract.ts'
import { SignInLocked } from '../sign-in/contract.ts'
import { Password, TypedEmail, TypedPassword } from '../user.ts'

/** Not 401: the access token is good, and clients answer 401 by trading in their refresh token. */
export const WrongPassword = problem('wrong-password', {
  kind: 'forbidden',
  title: 'The current password is not this one',
})

export const passwordOperations = {
  changePassword: command({
    summary: 'Changes my password and ends my other sessions',
    access: 'user',
    repeat: 'never',
    http: post('/api/v1/auth/password', { status: 204 }),
    limit: { requests: 20, per: '1m', by: 'caller' },
    input: z.object({ currentPassword: TypedPassword, newPassword: Password }),
    output: z.undefined(),
    problems: [WrongPassword, SignInLocked],
  }),
  forgotPassword: command({
    summary:
      'Asks for a mail to choose a new password; accepted whether or not there is an account',
    access: 'public',
    repeat: 'natural',
    http: post('/api/v1/auth/password/forgot', { status: 202 }),
    limit: { requests: 20, per: '10m', by: 'address' },
    input: z.object({ email: TypedEmail }),
    output: z.undefined(),
  }),
  resetPassword: command({
    summary: 'Sets a new password with the token from a mail and ends all sessions',
    access: 'public',
    repeat: 'never',
    http: post('/api/v1/auth/password/reset', { status: 204 }),
    limit: { requests: 30, per: '10m', by: 'address' },
    input: z.object({ token: LinkToken, password: Password }),
    output: z.undefined(),
    problems: [LinkRefused],
  }),
}

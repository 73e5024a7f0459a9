import { command, problem, put } from 'serval'
import { z } from 'zod'
import { NoSuchUser, Role, Roles, TypedEmail, UserId } from '../user.ts'

export const LastAdmin = problem('last-admin', {
  kind: 'conflict',
  title: 'This is the last admin; make somebody else one first',
})

export const EmailNotVerified = problem('email-not-verified', {
  kind: 'conflict',
  title: 'This address is not confirmed: anybody may have opened the account under it',
})

export const roleOperations = {
  /**
   * A role that is added is in the next access token. When one is taken away, the access tokens that bear it are refused at
   * once; the sessions go on, and their clients trade in their refresh tokens.
   */
  setRoles: command({
    summary: 'Sets a user’s roles',
    access: 'role:admin',
    repeat: 'natural',
    http: put('/api/v1/users/:id/roles'),
    input: z.object({ id: UserId, roles: Roles }),
    output: z.object({ roles: z.array(Role) }),
    problems: [NoSuchUser, LastAdmin],
  }),
  /**
   * How a shop gets its first admin, and loses one whose account was taken over: the last one, too. A role is added only to an
   * account whose address is confirmed: the operator names an address, and means the person who reads its mail.
   */
  appoint: command({
    summary: 'Sets the roles of the user with this address',
    access: 'operator',
    repeat: 'natural',
    http: put('/operator/v1/users/roles'),
    input: z.object({
      email: TypedEmail,
      roles: Roles,
      /** The operator knows in another way whose account it is. */
      evenUnverified: z.boolean().optional(),
    }),
    output: z.object({
      id: z.string(),
      roles: z.array(Role),
      emailVerified: z.boolean(),
    }),
    problems: [NoSuchUser, EmailNotVerified],
  }),
}

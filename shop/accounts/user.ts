import { problem } from 'serval'
import { z } from 'zod'

/** As somebody types it when an account is opened. */
export const Email = z
  .string()
  .trim()
  .max(254)
  .pipe(z.email('An e-mail address looks like name@example.org'))
/** As somebody types it to be found: what is no address is merely unknown. */
export const TypedEmail = z.string().min(1).max(254)
/** 8 to 256 characters; nothing else is asked of it (NIST SP 800-63B). */
export const Password = z.string().min(8).max(256)
export const TypedPassword = z.string().min(1).max(256)
/** No lines and no links: a name is what a stranger may show to others. */
export const PersonName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .refine((name) => !/[\p{Cc}\p{Zl}\p{Zp}]|:\/\//u.test(name), {
    error: 'A name has neither control characters nor links in it',
  })

/** All roles that there are. */
export const knownRoles = ['merchant', 'admin'] as const
export const Role = z.enum(knownRoles)
export type Role = z.output<typeof Role>
export const Roles = z.array(Role).max(knownRoles.length)

export const User = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  roles: z.array(z.string()),
})

export const UserId = z.string().min(1).max(64)

export const NoSuchUser = problem('no-such-user', {
  kind: 'not-found',
  title: 'There is no such user',
})

import { accounts } from '../contract.ts'
import type { AccountsContext, Handlers } from '../parts.ts'
import type { UserRecord } from '../repository.ts'
import { renameSessions } from '../sessions/ending.ts'
import { normalizeEmail } from '../sign-in/email.ts'
import { NoSuchUser, type Role } from '../user.ts'
import { EmailNotVerified, LastAdmin, type roleOperations } from './contract.ts'
import { inOrder, isLastAdmin } from './roles.ts'

const assign = (
  ctx: AccountsContext,
  id: string,
  roles: readonly Role[],
  rule: { readonly keepLastAdmin: boolean; readonly verifiedOnly: boolean },
): Promise<UserRecord> =>
  ctx.step(async (s) => {
    const locked = await s.users.withAdmins(id)
    const before = locked.find((one) => one.id === id)
    if (before === undefined) throw NoSuchUser(undefined)
    const after = { ...before, roles: inOrder(roles) }
    const added = after.roles.some((role) => !before.roles.includes(role))
    const removed = before.roles.some((role) => !after.roles.some((kept) => kept === role))
    if (!added && !removed) return before
    if (rule.verifiedOnly && added && before.verifiedAt === undefined)
      throw EmailNotVerified(undefined)
    if (rule.keepLastAdmin && isLastAdmin(before, locked) && !after.roles.includes('admin'))
      throw LastAdmin(undefined)
    s.users.save(after)
    if (removed) renameSessions(s, await s.sessions.ofUser.all(id))
    s.emit(accounts.events.profileChanged, { userId: id })
    return after
  })

export const roleHandlers: Handlers<keyof typeof roleOperations> = {
  setRoles: async ({ id, roles }, ctx) => {
    const user = await assign(ctx, id, roles, { keepLastAdmin: true, verifiedOnly: false })
    return { roles: inOrder(user.roles) }
  },

  appoint: async ({ email, roles, evenUnverified = false }, ctx) => {
    const found = await ctx.read((r) => r.users.byEmail(normalizeEmail(email)))
    if (found === undefined) throw NoSuchUser(undefined)
    const rule = { keepLastAdmin: false, verifiedOnly: !evenUnverified }
    const user = await assign(ctx, found.id, roles, rule)
    return {
      id: user.id,
      roles: inOrder(user.roles),
      emailVerified: user.verifiedAt !== undefined,
    }
  },
}

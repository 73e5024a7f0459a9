import { accounts } from '../contract.ts'
import type { AccountsContext, Handlers } from '../parts.ts'
import { NoSuchUser } from '../user.ts'
import { LinkRefused, NothingToSend, type mailOperations } from './contract.ts'
import { linkOf, requestOf } from './links.ts'
import { countedMs } from './request.ts'

export const mailHandlers: Handlers<keyof typeof mailOperations> = {
  // Not used up: people open a link twice, and so do programs that look into mails before them.
  verifyEmail: async ({ token }, ctx) => {
    const id = await requestOf(ctx, 'email-verification', token)
    if (id === undefined) throw LinkRefused(undefined)
    await ctx.step(async (s) => {
      const now = s.env.now()
      const request = await s.mailRequests.find(id)
      if (request === undefined || request.expiresAt <= now) throw LinkRefused(undefined)
      const user = await s.users.byId(request.userId, 'exclusive')
      if (user === undefined) throw LinkRefused(undefined)
      if (user.verifiedAt !== undefined) return
      s.users.save({ ...user, verifiedAt: now })
      s.emit(accounts.events.profileChanged, { userId: user.id })
    })
  },

  contact: async ({ userId }, ctx) => {
    const user = await ctx.read((r) => r.users.byId(userId))
    if (user === undefined) throw NoSuchUser(undefined)
    return { email: user.email, name: user.name }
  },

  mail: async ({ requestId }, ctx) => {
    const found = await ctx.read(async (r) => {
      const request = await r.mailRequests.find(requestId)
      const user = request && (await r.users.byId(request.userId))
      return user && { request, user }
    })
    if (found === undefined || found.request.expiresAt <= ctx.env.now())
      throw NothingToSend(undefined)
    const link = await linkOf(ctx, found.request)
    return { email: found.user.email, ...(link === undefined ? {} : { link }) }
  },
}

/** A job. */
export const pruneMailRequests = (ctx: AccountsContext): Promise<void> =>
  ctx.step(async (s) => {
    s.mailRequests.prune(ctx.env.now())
    s.mailCounts.prune(ctx.env.now() - countedMs)
  })

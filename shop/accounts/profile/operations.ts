import { requireMatch } from 'serval'
import { accounts } from '../contract.ts'
import { changeTriesKey, triesKey } from '../lockout/judge.ts'
import { gone, me, type Handlers } from '../parts.ts'
import { LastAdmin } from '../roles/contract.ts'
import { isLastAdmin } from '../roles/roles.ts'
import { endSessions } from '../sessions/ending.ts'
import { Profile, type profileOperations } from './contract.ts'
import { patched, profileView } from './profile.ts'

export const profileHandlers: Handlers<keyof typeof profileOperations> = {
  profile: async (_, ctx) => {
    const { id } = me(ctx)
    const kept = { ttl: '5m', tags: [`profile:${id}`] } as const
    const { value } = await ctx.cache.read(`profile:${id}`, kept, async () => {
      const user = await ctx.read((r) => r.users.byId(id))
      return user && profileView(user)
    })
    if (value === undefined) throw gone()
    return value
  },

  changeProfile: async ({ ifMatch, ...patch }, ctx) => {
    const { id } = me(ctx)
    return ctx.step(async (s) => {
      // Locked until the step ends: nobody changes it between the comparison and the save.
      const before = await s.users.byId(id, 'exclusive')
      if (before === undefined) throw gone()
      const after = patched(before, patch)
      // A repeat finds its own change made, and is not refused for it (RFC 9110, 13.1.1).
      if (after === before) return profileView(before)
      requireMatch(ifMatch, Profile, profileView(before))
      s.users.save(after)
      s.emit(accounts.events.profileChanged, { userId: id })
      return profileView(after)
    })
  },

  erase: async ({ ifMatch }, ctx) => {
    const { id } = me(ctx)
    const user = await ctx.read((r) => r.users.byId(id))
    if (user === undefined) return
    const keys = [await triesKey(ctx, user.email), await changeTriesKey(ctx, id)]
    await ctx.step(async (s) => {
      for (const key of keys) s.tries.forget(key)
      const locked = await s.users.withAdmins(id)
      const found = locked.find((one) => one.id === id)
      if (found === undefined) return
      requireMatch(ifMatch, Profile, profileView(found))
      if (isLastAdmin(found, locked)) throw LastAdmin(undefined)
      endSessions(s, await s.sessions.ofUser.all(id))
      s.mailRequests.drop(id)
      s.users.erase(id, s.env.now())
      s.emit(accounts.events.userErased, { userId: id })
    })
  },
}

import { pageCursor, rfc3339 } from 'serval'
import { z } from 'zod'
import { me, type AccountsContext, type Handlers } from '../parts.ts'
import { currentKey } from '../signing-keys/current.ts'
import { prepareSuccessor, repeatAnswer } from './answer.ts'
import { tokensUsableMs } from './claims.ts'
import { NoSuchSession, RefreshRefused, type sessionOperations } from './contract.ts'
import { endSessions } from './ending.ts'
import { present } from './family.ts'
import { readToken } from './refresh-token.ts'

/** A list goes on after this session: when it started, in milliseconds, up to the year 9999. */
const pages = pageCursor(
  z.strictObject({
    at: z.int().min(0).max(253_402_300_799_999),
    id: z.string().regex(/^[!-~]{1,64}$/),
  }),
)

export const sessionHandlers: Handlers<keyof typeof sessionOperations> = {
  refresh: async (input, ctx) => {
    const token = readToken(input.refreshToken)
    if (token === undefined) throw RefreshRefused(undefined)
    const found = await ctx.read(async (r) => {
      const family = await r.sessions.find(token.locator)
      const user = family && (await r.users.byId(family.userId))
      return user && { family, user }
    })
    if (found === undefined) throw RefreshRefused(undefined)
    const key = await currentKey(ctx)
    // Made before the row is locked, which then is locked for two statements only; not used when the token is not current.
    const prepared = await prepareSuccessor(ctx, key, found, token)
    const presented = await ctx.step(async (s) => {
      const family = await s.sessions.find(token.locator, 'lock')
      if (family === undefined) return { outcome: 'refused' as const }
      let made = prepared
      if (family.sid !== found.family.sid) {
        // A role was taken away meanwhile, and nobody was told to refuse an access token that was not there yet.
        const user = await s.users.byId(family.userId)
        if (user === undefined) return { outcome: 'refused' as const }
        made = await prepareSuccessor(ctx, key, { user, family }, token)
      }
      const result = present(family, token.hash, made.successor, ctx.env.now())
      if (result.outcome === 'rotated') s.sessions.save(result.family)
      if (result.outcome === 'reused') endSessions(s, [family])
      return { ...result, made }
    })
    switch (presented.outcome) {
      case 'rotated':
        return presented.made.answer
      case 'repeated':
        return repeatAnswer(ctx, found.family, token, presented.answer)
      case 'reused':
        ctx.log.warn('a refresh token was used again: its session is ended', {
          session: found.family.id,
          user: found.user.id,
        })
        throw RefreshRefused(undefined)
      case 'refused':
        throw RefreshRefused(undefined)
    }
  },

  logout: async (_, ctx) => {
    const { id, session } = me(ctx)
    await ctx.step(async (s) => {
      const found = await s.sessions.ofUser.one(id, { sid: session })
      if (found !== undefined) endSessions(s, [found])
    })
  },

  sessions: async ({ limit, cursor }, ctx) => {
    const { id, session } = me(ctx)
    const after = cursor === undefined ? undefined : pages.decode(cursor)
    const page = { limit: limit + 1, after, now: ctx.env.now() }
    // One more than asked for tells whether there is more.
    const found = await ctx.read((r) => r.sessions.ofUser.page(id, page))
    const shown = found.slice(0, limit)
    const items = shown.map((family) => ({
      id: family.id,
      startedAt: rfc3339(family.startedAt),
      lastUsedAt: rfc3339(family.rotatedAt),
      current: family.sid === session,
    }))
    const last = shown.at(-1)
    if (found.length <= limit || last === undefined) return { items }
    return { items, next: pages.encode({ at: last.startedAt, id: last.id }) }
  },

  endSession: async (input, ctx) => {
    const { id } = me(ctx)
    await ctx.step(async (s) => {
      const found = await s.sessions.ofUser.one(id, { id: input.id })
      if (found === undefined || found.expiresAt <= s.env.now()) throw NoSuchSession(undefined)
      endSessions(s, [found])
    })
  },

  endedSessions: async (_, ctx) => {
    const since = ctx.env.now() - tokensUsableMs
    return { sessionIds: [...(await ctx.read((r) => r.sessions.ended.since(since)))] }
  },
}

/** A job. */
export const pruneSessions = (ctx: AccountsContext): Promise<void> =>
  ctx.step(async (s) => {
    const now = ctx.env.now()
    s.sessions.ended.prune({ now, since: now - tokensUsableMs })
  })

import { z } from 'zod'
import { accounts } from '../contract.ts'
import { changeTriesKey, judge, refusal, refuseWhileLocked, triesKey } from '../lockout/judge.ts'
import { LinkRefused } from '../mail/contract.ts'
import { requestOf } from '../mail/links.ts'
import { mailLifeMs, mailsKey, requestMail } from '../mail/request.ts'
import { gone, me, type AccountsContext, type Handlers } from '../parts.ts'
import { endSessions } from '../sessions/ending.ts'
import { normalizeEmail } from '../sign-in/email.ts'
import { WrongPassword, type passwordOperations } from './contract.ts'

export const passwordHandlers: Handlers<keyof typeof passwordOperations> = {
  changePassword: async ({ currentPassword, newPassword }, ctx) => {
    const { id, session } = me(ctx)
    const { passwords } = ctx.ports
    const user = await ctx.read((r) => r.users.byId(id))
    if (user === undefined) throw gone()
    const key = await changeTriesKey(ctx, id)
    const mails = await mailsKey(ctx, user.email)
    refuseWhileLocked(await ctx.read((r) => r.tries.find(key)), ctx.env.now())
    const matches = await passwords.verify(currentPassword, user.passwordHash, ctx.signal)
    // Also for a wrong one: see judge.
    const passwordHash = await passwords.hash(newPassword, ctx.signal)
    const verdict = await ctx.step(async (s) => {
      const judged = await judge(s, key, matches)
      if (!judged.passed) return judged
      const found = await s.users.byId(id, 'exclusive')
      if (found?.passwordHash !== user.passwordHash) throw WrongPassword(undefined)
      s.users.save({ ...found, passwordHash })
      s.mailRequests.drop(id, 'password-reset')
      const families = await s.sessions.ofUser.all(id)
      endSessions(
        s,
        families.filter(({ sid }) => sid !== session),
      )
      await requestMail(s, found, 'password-changed', mails)
      return judged
    })
    if (!verdict.passed) throw refusal(verdict, () => WrongPassword(undefined))
  },

  // The same step for everybody: who has an account is looked up later, when nobody waits for the answer.
  forgotPassword: async (input, ctx) => {
    const email = normalizeEmail(input.email)
    const key = await triesKey(ctx, email)
    await ctx.step(async (s) =>
      s.schedule('reset-mail', { key, at: s.env.now(), data: { email } satisfies ResetMail }),
    )
  },

  resetPassword: async ({ token, password }, ctx) => {
    const requestId = await requestOf(ctx, 'password-reset', token)
    if (requestId === undefined) throw LinkRefused(undefined)
    const user = await ctx.read(async (r) => {
      const request = await r.mailRequests.find(requestId)
      return request && ctx.env.now() < request.expiresAt ? r.users.byId(request.userId) : undefined
    })
    if (user === undefined) throw LinkRefused(undefined)
    const passwordHash = await ctx.ports.passwords.hash(password, ctx.signal)
    const keys = [await triesKey(ctx, user.email), await changeTriesKey(ctx, user.id)]
    const mails = await mailsKey(ctx, user.email)
    await ctx.step(async (s) => {
      for (const key of keys) s.tries.forget(key)
      const found = await s.users.byId(user.id, 'exclusive')
      if (found === undefined) throw LinkRefused(undefined)
      // Whoever uses a token ends all others: of those who come at once, the second finds none.
      s.mailRequests.use(requestId, LinkRefused(undefined))
      s.mailRequests.drop(user.id, 'password-reset')
      const saved = { ...found, passwordHash, verifiedAt: found.verifiedAt ?? s.env.now() }
      s.users.save(saved)
      if (found.verifiedAt === undefined)
        s.emit(accounts.events.profileChanged, { userId: user.id })
      endSessions(s, await s.sessions.ofUser.all(user.id))
      await requestMail(s, saved, 'password-changed', mails)
    })
  },
}

export const ResetMail = z.object({ email: z.string() })
type ResetMail = z.output<typeof ResetMail>

/** Mails with a reset link that an account gets in an hour, at most. */
const resetMails = 3
/** Whoever asks again this soon, as a caller does that lost the answer, asked once; unless the link was used. */
const askedOnceMs = 60_000

/** A job: asks for the mail, if there is an account to write to. */
export const sendResetMail = async ({ email }: ResetMail, ctx: AccountsContext): Promise<void> => {
  const user = await ctx.read((r) => r.users.byEmail(email))
  if (user === undefined) return
  const mails = await mailsKey(ctx, email)
  await ctx.step(async (s) => {
    const found = await s.users.byId(user.id, 'exclusive')
    if (found === undefined) return
    const asked = (withinMs: number) =>
      s.mailRequests.count(user.id, 'password-reset', s.env.now() - withinMs)
    if ((await asked(askedOnceMs)) > 0) return
    if ((await asked(mailLifeMs['password-reset'])) < resetMails)
      await requestMail(s, found, 'password-reset', mails)
  })
}

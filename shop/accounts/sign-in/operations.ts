import { judge, refusal, refuseWhileLocked, triesKey } from '../lockout/judge.ts'
import { mailsKey, requestMail } from '../mail/request.ts'
import type { AccountsStep, Handlers } from '../parts.ts'
import type { UserRecord } from '../repository.ts'
import { newSession, signedIn } from '../sessions/answer.ts'
import { endSessions } from '../sessions/ending.ts'
import { currentKey } from '../signing-keys/current.ts'
import { EmailTaken, SignInFailed, type signInOperations } from './contract.ts'
import { normalizeEmail } from './email.ts'

/** A user's sessions, at most: whoever signs in more often ends the oldest. */
const sessionsOfUser = 1_000

const startSession = async (s: AccountsStep, { id, passwordHash }: UserRecord) => {
  // Shared with other sign-ins, but not with whoever ends all sessions, or changes the roles, at this moment.
  const user = await s.users.byId(id, 'shared')
  // Erased, or another password, since it was read.
  if (user?.passwordHash !== passwordHash) return undefined
  const session = newSession(s.env, id)
  s.sessions.add(session.family)
  endSessions(s, await s.sessions.ofUser.beyond(id, sessionsOfUser))
  return { user, session }
}

export const signInHandlers: Handlers<keyof typeof signInOperations> = {
  register: async (input, ctx) => {
    const email = normalizeEmail(input.email)
    if (await ctx.read((r) => r.users.byEmail(email))) throw EmailTaken(undefined)
    const passwordHash = await ctx.ports.passwords.hash(input.password, ctx.signal)
    const user: UserRecord = {
      id: ctx.env.id(),
      email,
      name: input.name,
      address: undefined,
      roles: [],
      passwordHash,
      verifiedAt: undefined,
    }
    const mails = await mailsKey(ctx, email)
    const session = newSession(ctx.env, user.id)
    const answer = await signedIn(ctx, await currentKey(ctx), user, session)
    await ctx.step(async (s) => {
      if (!(await s.users.add(user, ctx.env.now()))) throw EmailTaken(undefined)
      s.sessions.add(session.family)
      await requestMail(s, user, 'email-verification', mails)
    })
    return answer
  },

  login: async (input, ctx) => {
    const { passwords } = ctx.ports
    const email = normalizeEmail(input.email)
    const key = await triesKey(ctx, email)
    const { tries, user } = await ctx.read(async (r) => ({
      tries: await r.tries.find(key),
      user: await r.users.byEmail(email),
    }))
    refuseWhileLocked(tries, ctx.env.now())
    // One hash and one way out, whoever asks: neither words nor time tell whether the address is known.
    const matches = await passwords.verify(
      input.password,
      user?.passwordHash ?? passwords.decoy,
      ctx.signal,
    )
    const judged = await ctx.step(async (s) => {
      const verdict = await judge(s, key, user !== undefined && matches)
      if (!verdict.passed) return { verdict }
      return { verdict, started: user && (await startSession(s, user)) }
    })
    if (!judged.verdict.passed) throw refusal(judged.verdict, () => SignInFailed(undefined))
    if (judged.started === undefined) throw SignInFailed(undefined)
    // With the roles as they were when the session began: a change from then on finds the session.
    return signedIn(ctx, await currentKey(ctx), judged.started.user, judged.started.session)
  },

  provide: async (input, ctx) => {
    const email = normalizeEmail(input.email)
    if (await ctx.read((r) => r.users.byEmail(email))) return { added: false }
    const passwordHash = await ctx.ports.passwords.hash(input.password, ctx.signal)
    const { name, roles } = input
    const now = ctx.env.now()
    const user = { id: ctx.env.id(), email, name, roles, passwordHash, address: undefined }
    return { added: await ctx.step((s) => s.users.add({ ...user, verifiedAt: now }, now)) }
  },
}

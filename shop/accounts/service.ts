import { service } from 'serval'
import { accounts, EmailTaken, NoSuchUser, RefreshRefused, SignInFailed } from './contract.ts'
import { normalizeEmail } from './email.ts'
import { parts } from './parts.ts'
import { readToken } from './refresh-token.ts'
import { makeSigningKey, prepareSuccessor, repeatAnswer, startSession } from './sign-in.ts'
import { publicKeyView, publishedKeys, signingKey } from './signing-keys.ts'
import { present } from './tokens.ts'

export const accountsService = service(accounts, {
  ...parts,
  operations: {
    register: async (input, ctx) => {
      const email = normalizeEmail(input.email)
      if (await ctx.read((r) => r.users.byEmail(email))) throw EmailTaken(undefined)
      const passwordHash = await ctx.ports.passwords.hash(input.password)
      const user = { id: ctx.env.id(), email, name: input.name, roles: [], passwordHash }
      const { family, answer } = await startSession(ctx, user)
      await ctx.step(async (s) => {
        if (!(await s.users.add(user, ctx.env.now()))) throw EmailTaken(undefined)
        s.sessions.add(family)
      })
      return answer
    },

    login: async (input, ctx) => {
      const { passwords } = ctx.ports
      const user = await ctx.read((r) => r.users.byEmail(normalizeEmail(input.email)))
      // One hash and one way out, whoever asks: neither words nor time tell whether the address is known.
      const matches = await passwords.verify(input.password, user?.passwordHash ?? passwords.decoy)
      if (user === undefined || !matches) throw SignInFailed(undefined)
      const { family, answer } = await startSession(ctx, user)
      await ctx.step(async (s) => s.sessions.add(family))
      return answer
    },

    refresh: async (input, ctx) => {
      const token = await readToken(input.refreshToken)
      if (token === undefined) throw RefreshRefused(undefined)
      const found = await ctx.read(async (r) => {
        const family = await r.sessions.find(token.locator)
        const user = family && (await r.users.byId(family.userId))
        return user && { family, user }
      })
      if (found === undefined) throw RefreshRefused(undefined)
      // Made before the row is locked, which then is locked for two statements only; not used when the token is not current.
      const { successor, answer } = await prepareSuccessor(ctx, found.user, found.family, token)
      const presented = await ctx.step(async (s) => {
        const family = await s.sessions.find(token.locator, 'lock')
        if (family === undefined) return { outcome: 'refused' as const }
        const result = present(family, token.hash, successor, ctx.env.now())
        if (result.outcome === 'rotated' || result.outcome === 'revoked')
          s.sessions.save(result.family)
        return result
      })
      switch (presented.outcome) {
        case 'rotated':
          return answer
        case 'repeated':
          return repeatAnswer(ctx, found.family, token, presented.answer)
        case 'revoked':
          ctx.log.warn('a refresh token was used again: its session is revoked', {
            session: found.family.id,
            user: found.user.id,
          })
          throw RefreshRefused(undefined)
        case 'refused':
          throw RefreshRefused(undefined)
      }
    },

    keys: async (_, ctx) => {
      const before = await ctx.read((r) => r.signingKeys.all())
      if (signingKey(before, ctx.env.now()) !== undefined)
        return { keys: publishedKeys(before, ctx.env.now()).map(publicKeyView) }
      // Also made when a verifier asks first: so it never holds a set without the key of the first token.
      const made = await makeSigningKey(ctx, before)
      const keys = await ctx.step((s) => {
        s.signingKeys.offer(made, ctx.env.now())
        return s.signingKeys.all()
      })
      return { keys: publishedKeys(keys, ctx.env.now()).map(publicKeyView) }
    },

    contact: async (input, ctx) => {
      const user = await ctx.read((r) => r.users.byId(input.userId))
      if (user === undefined) throw NoSuchUser(undefined)
      return { email: user.email, name: user.name }
    },

    provide: async (input, ctx) => {
      const email = normalizeEmail(input.email)
      if (await ctx.read((r) => r.users.byEmail(email))) return { added: false }
      const passwordHash = await ctx.ports.passwords.hash(input.password)
      const user = { id: ctx.env.id(), email, name: input.name, roles: input.roles, passwordHash }
      return { added: await ctx.step((s) => s.users.add(user, ctx.env.now())) }
    },
  },
  jobs: (jobs) => [
    jobs.every('prune-sessions', '1h', (ctx) =>
      ctx.step(async (s) => s.sessions.prune(ctx.env.now())),
    ),
  ],
})

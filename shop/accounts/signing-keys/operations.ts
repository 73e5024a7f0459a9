import { rfc3339 } from 'serval'
import type { AccountsContext, Handlers } from '../parts.ts'
import type { signingKeyOperations } from './contract.ts'
import { freshKey } from './current.ts'
import {
  announced,
  firstKey,
  isDue,
  publicKeyView,
  publishedKeys,
  rotation,
  signingKey,
  type SigningKey,
} from './signing-keys.ts'

/** Makes the next key, unless `unless` finds that there is no need; hosts that do it at once make one. */
const rotate = async (
  ctx: AccountsContext,
  unless: (keys: readonly SigningKey[], now: number) => SigningKey | undefined,
): Promise<SigningKey> => {
  const fresh = await freshKey(ctx)
  return ctx.step(async (s) => {
    const now = s.env.now()
    const keys = await s.signingKeys.all('lock')
    s.signingKeys.prune(now)
    const there = unless(keys, now)
    if (there !== undefined) return there
    const { key, retired } = rotation(keys, fresh, now)
    s.signingKeys.rotate(key, retired, now)
    return key
  })
}

export const signingKeyHandlers: Handlers<keyof typeof signingKeyOperations> = {
  keys: async (_, ctx) => {
    const before = await ctx.read((r) => r.signingKeys.all())
    if (signingKey(before, ctx.env.now()) !== undefined)
      return { keys: publishedKeys(before, ctx.env.now()).map(publicKeyView) }
    // Also made when a verifier asks first: so it never holds a set without the key of the first token.
    const made = firstKey(before, await freshKey(ctx), ctx.env.now())
    const keys = await ctx.step((s) => {
      s.signingKeys.offer(made, ctx.env.now())
      return s.signingKeys.all()
    })
    return { keys: publishedKeys(keys, ctx.env.now()).map(publicKeyView) }
  },

  rotateSigningKey: async (_, ctx) => {
    const { kid, signsFrom } = await rotate(ctx, announced)
    return { kid, signsFrom: rfc3339(signsFrom) }
  },
}

/** A job. */
export const rotateWhenDue = async (ctx: AccountsContext): Promise<void> => {
  const keys = await ctx.read((r) => r.signingKeys.all())
  if (!isDue(keys, ctx.env.now())) return
  await rotate(ctx, (found, now) => (isDue(found, now) ? undefined : found.at(-1)))
}

import { hmacSha256, seal, unseal } from 'serval'
import type { z } from 'zod'
import type { AccountsContext } from '../parts.ts'
import type { UserRecord } from '../repository.ts'
import type { SignedIn } from '../sign-in/contract.ts'
import type { SecretKey } from '../signing-keys/current.ts'
import { accessClaims, accessTokenLife } from './claims.ts'
import { openFamily, type Family, type Successor } from './family.ts'
import { newToken, nextToken, type RefreshToken } from './refresh-token.ts'

type Answer = z.output<typeof SignedIn>

/** A session that a step has yet to store. */
export const newSession = (
  env: AccountsContext['env'],
  userId: string,
): { readonly family: Family; readonly token: RefreshToken } => {
  const token = newToken(env)
  const family = openFamily(
    { id: env.id(), userId, locator: token.locator, current: token.hash },
    env.now(),
  )
  return { family, token }
}

/** What somebody is told who has signed in. */
export const signedIn = async (
  ctx: AccountsContext,
  key: SecretKey,
  user: UserRecord,
  { family, token }: { readonly family: Pick<Family, 'sid'>; readonly token: RefreshToken },
): Promise<Answer> => {
  const { env, ports } = ctx
  const claims = accessClaims(user, { session: family.sid, id: env.id(), nowMs: env.now() })
  return {
    user: { id: user.id, email: user.email, name: user.name, roles: [...user.roles] },
    accessToken: await ports.tokens.sign(claims, key),
    expiresIn: accessTokenLife,
    refreshToken: token.text,
  }
}

/*
 * To repeat an answer it must be kept, tokens and all. It is sealed under a key that takes the token which it answered:
 * of that token only the hash is stored, so neither the database nor our secret nor both give a live token away. (Deriving
 * successors from a secret instead would let whoever learns that secret make every token to come.)
 */
const answerKey = async (ctx: AccountsContext, token: RefreshToken) =>
  // As the extract step of RFC 5869: it takes both our secret and what only the caller has.
  hmacSha256(await ctx.secret('refresh-answers'), token.text)

/** What `token` is traded for, should it be the current one of its family. */
export const prepareSuccessor = async (
  ctx: AccountsContext,
  key: SecretKey,
  { user, family }: { readonly user: UserRecord; readonly family: Family },
  token: RefreshToken,
): Promise<{ readonly successor: Successor; readonly answer: Answer }> => {
  const next = nextToken(ctx.env, token)
  const answer = await signedIn(ctx, key, user, { family, token: next })
  const secret = await answerKey(ctx, token)
  const sealed = seal(ctx.env, secret, family.id, JSON.stringify(answer))
  return { successor: { hash: next.hash, answer: sealed }, answer }
}

export const repeatAnswer = async (
  ctx: AccountsContext,
  family: Family,
  token: RefreshToken,
  sealed: Uint8Array,
): Promise<Answer> => {
  const plain = unseal(await answerKey(ctx, token), family.id, sealed)
  // It was written by prepareSuccessor; the contract checks it once more on its way out.
  return JSON.parse(new TextDecoder().decode(plain)) as Answer
}

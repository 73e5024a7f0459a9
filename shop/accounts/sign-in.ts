import { failure } from 'serval'
import type { z } from 'zod'
import { accessClaims, accessTokenLife } from './claims.ts'
import type { SignedIn } from './contract.ts'
import type { AccountsContext } from './parts.ts'
import { newToken, nextToken, type RefreshToken } from './refresh-token.ts'
import type { UserRecord } from './repository.ts'
import { keyWith, seal, unseal } from './sealing.ts'
import { nextGeneration, signingKey, type SigningKey } from './signing-keys.ts'
import { openFamily, type Family, type Successor } from './tokens.ts'

type Answer = z.output<typeof SignedIn>

/** A new key of the next generation; whoever commits it first has made the one that all hosts use. */
export const makeSigningKey = async (
  ctx: AccountsContext,
  before: readonly SigningKey[],
): Promise<SigningKey> => {
  const kid = ctx.env.id()
  const seed = ctx.env.bytes(32)
  return {
    generation: nextGeneration(before),
    kid,
    publicKey: await ctx.ports.tokens.publicKey(seed),
    sealed: await seal(ctx.env, await ctx.secret('signing-keys'), kid, seed),
    signsFrom: ctx.env.now(),
    publishedUntil: undefined,
  }
}

const currentKey = async (ctx: AccountsContext): Promise<SigningKey> => {
  const find = async () => signingKey(await ctx.read((r) => r.signingKeys.all()), ctx.env.now())
  const found = await find()
  if (found !== undefined) return found
  await ctx.uses.accounts.keys({})
  const made = await find()
  if (made === undefined) throw failure('unavailable', 'There is no key to sign access tokens')
  return made
}

const answer = async (
  ctx: AccountsContext,
  user: UserRecord,
  session: string,
  refreshToken: RefreshToken,
): Promise<Answer> => {
  const { kid, sealed } = await currentKey(ctx)
  const seed = await unseal(await ctx.secret('signing-keys'), kid, sealed)
  const claims = accessClaims(user, { session, id: ctx.env.id(), nowMs: ctx.env.now() })
  return {
    user: { id: user.id, email: user.email, name: user.name, roles: [...user.roles] },
    accessToken: await ctx.ports.tokens.sign(claims, { kid, seed }),
    expiresIn: accessTokenLife,
    refreshToken: refreshToken.text,
  }
}

/** A session that a step has yet to store, and what its user is told. */
export const startSession = async (
  ctx: AccountsContext,
  user: UserRecord,
): Promise<{ readonly family: Family; readonly answer: Answer }> => {
  const token = await newToken(ctx.env)
  const id = ctx.env.id()
  const family = openFamily(
    { id, userId: user.id, locator: token.locator, current: token.hash },
    ctx.env.now(),
  )
  return { family, answer: await answer(ctx, user, id, token) }
}

/*
 * To repeat an answer it must be kept, tokens and all. It is sealed under a key that takes the token which it answered:
 * of that token only the hash is stored, so neither the database nor our secret nor both give a live token away. (Deriving
 * successors from a secret instead would let whoever learns that secret make every token to come.)
 */
const answerKey = async (ctx: AccountsContext, token: RefreshToken) =>
  keyWith(await ctx.secret('refresh-answers'), token.text)

/** What `token` is traded for, should it be the current one of its family. */
export const prepareSuccessor = async (
  ctx: AccountsContext,
  user: UserRecord,
  family: Family,
  token: RefreshToken,
): Promise<{ readonly successor: Successor; readonly answer: Answer }> => {
  const next = await nextToken(ctx.env, token)
  const made = await answer(ctx, user, family.id, next)
  const plain = new TextEncoder().encode(JSON.stringify(made))
  const sealed = await seal(ctx.env, await answerKey(ctx, token), family.id, plain)
  return { successor: { hash: next.hash, answer: sealed }, answer: made }
}

export const repeatAnswer = async (
  ctx: AccountsContext,
  family: Family,
  token: RefreshToken,
  sealed: Uint8Array,
): Promise<Answer> => {
  const plain = await unseal(await answerKey(ctx, token), family.id, sealed)
  // It was written by prepareSuccessor; the contract checks it once more on its way out.
  return JSON.parse(new TextDecoder().decode(plain)) as Answer
}

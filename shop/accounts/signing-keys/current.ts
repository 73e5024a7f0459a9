import { failure, seal, unseal } from 'serval'
import type { AccountsContext } from '../parts.ts'
import { signingKey, type SigningKey } from './signing-keys.ts'

/** A key that can sign. */
export interface SecretKey {
  readonly kid: string
  readonly seed: Uint8Array
}

const secret = (ctx: AccountsContext) => ctx.secret('signing-keys')

/** A new key pair, which is nobody's key yet. */
export const freshKey = async (
  ctx: AccountsContext,
): Promise<Pick<SigningKey, 'kid' | 'publicKey' | 'sealed'>> => {
  const kid = ctx.env.id()
  const seed = ctx.env.bytes(32)
  return {
    kid,
    publicKey: await ctx.ports.tokens.publicKey(seed),
    sealed: seal(ctx.env, await secret(ctx), kid, seed),
  }
}

/** The key that signs at this moment; the first one is made when somebody needs it. Not inside a step. */
export const currentKey = async (ctx: AccountsContext): Promise<SecretKey> => {
  const find = async () => signingKey(await ctx.read((r) => r.signingKeys.all()), ctx.env.now())
  let key = await find()
  if (key === undefined) {
    await ctx.uses.accounts.keys({})
    key = await find()
  }
  if (key === undefined) throw failure('unavailable', 'There is no key to sign access tokens')
  return { kid: key.kid, seed: unseal(await secret(ctx), key.kid, key.sealed) }
}

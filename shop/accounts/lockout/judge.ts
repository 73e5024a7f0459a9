import { hmacSha256 } from 'serval'
import type { AccountsContext, AccountsStep } from '../parts.ts'
import { SignInLocked } from '../sign-in/contract.ts'
import { failed, lockedForMs, type Tries } from './lockout.ts'

/** What something is counted under: not the text itself, which may be a stranger's address. A purpose's keys are no other's. */
export const countKey = async (
  ctx: AccountsContext,
  purpose: string,
  text: string,
): Promise<string> => Buffer.from(hmacSha256(await ctx.secret(purpose), text)).toString('base64url')

/** Of sign-ins, by the address. */
export const triesKey = (ctx: AccountsContext, email: string): Promise<string> =>
  countKey(ctx, 'sign-in-tries', email)

/** Of a user's changes of the password: whoever fails to sign in under an address does not keep its owner from changing it. */
export const changeTriesKey = (ctx: AccountsContext, userId: string): Promise<string> =>
  countKey(ctx, 'password-change-tries', userId)

const locked = (waitMs: number) => SignInLocked({ retryAfterSeconds: Math.ceil(waitMs / 1_000) })

/** Spares a locked address the cost of a hash. It decides nothing: `judge` does. */
export const refuseWhileLocked = (tries: Tries | undefined, now: number): void => {
  const waitMs = lockedForMs(tries, now)
  if (waitMs > 0) throw locked(waitMs)
}

export type Verdict =
  { readonly passed: true } | { readonly passed: false; readonly lockedForMs: number }

/**
 * Judges a password that was just found right or wrong. Tries for one address are judged one after the other, and while it
 * is locked a right one is turned away like a wrong one: so many guesses sent at once learn no more than guesses sent in a
 * row. (To count before the hash would turn away people who sign in from many places at once, all of them rightly.) Until
 * the verdict is there, nothing that takes time may depend on whether the password was right.
 */
export const judge = async (s: AccountsStep, key: string, right: boolean): Promise<Verdict> => {
  const now = s.env.now()
  const tries = await s.tries.lock(key, now)
  const waitMs = lockedForMs(tries, now)
  if (waitMs > 0) return { passed: false, lockedForMs: waitMs }
  if (right) {
    s.tries.forget(key)
    return { passed: true }
  }
  s.tries.save(key, failed(tries, now))
  return { passed: false, lockedForMs: 0 }
}

/** What a verdict against the caller is answered with. */
export const refusal = <E>(verdict: Extract<Verdict, { passed: false }>, wrong: () => E) =>
  verdict.lockedForMs > 0 ? locked(verdict.lockedForMs) : wrong()

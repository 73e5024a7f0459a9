const dayMs = 86_400_000
export const tokenLifeMs = 30 * dayMs
export const familyLifeMs = 90 * dayMs
/** How long the token before the current one repeats its answer. */
export const repeatMs = 10_000

/**
 * A session: a family of refresh tokens, of which one is current. Each use makes a successor (rotation). Tokens are known
 * here by their hashes only. A family remembers two of them; any other token of the family was traded in before, so that
 * one row is enough to notice a reuse however old the token is.
 */
export interface Family {
  readonly id: string
  /** What its access tokens name it. Another one takes its place when those that were given out must not be used any longer. */
  readonly sid: string
  readonly userId: string
  /** The hash of what all tokens of the family begin with. */
  readonly locator: string
  readonly startedAt: number
  readonly current: string
  readonly previous: string | undefined
  /** What the previous token was answered with, sealed. */
  readonly answer: Uint8Array | undefined
  readonly rotatedAt: number
  readonly expiresAt: number
}

export interface Successor {
  readonly hash: string
  readonly answer: Uint8Array
}

export type Presented =
  | { readonly outcome: 'rotated'; readonly family: Family }
  | { readonly outcome: 'repeated'; readonly answer: Uint8Array }
  | { readonly outcome: 'reused' }
  | { readonly outcome: 'refused' }

const expiry = (startedAt: number, now: number) =>
  Math.min(now + tokenLifeMs, startedAt + familyLifeMs)

export const openFamily = (
  family: Pick<Family, 'id' | 'userId' | 'locator' | 'current'>,
  now: number,
): Family => ({
  ...family,
  sid: family.id,
  startedAt: now,
  previous: undefined,
  answer: undefined,
  rotatedAt: now,
  expiresAt: expiry(now, now),
})

/**
 * What the use of a token, given by its hash, does to its family. The current one is traded for the successor. The one
 * before it repeats its answer for a moment (the reply may have been lost) until its successor is used itself. Any other
 * is in two hands, the user's and a thief's: nobody can tell which is which, so the caller ends the family.
 */
export const present = (
  family: Family,
  token: string,
  successor: Successor,
  now: number,
): Presented => {
  if (now >= family.expiresAt) return { outcome: 'refused' }
  if (token === family.current)
    return {
      outcome: 'rotated',
      family: {
        ...family,
        current: successor.hash,
        previous: token,
        answer: successor.answer,
        rotatedAt: now,
        expiresAt: expiry(family.startedAt, now),
      },
    }
  const repeats = token === family.previous && now < family.rotatedAt + repeatMs
  if (repeats && family.answer !== undefined) return { outcome: 'repeated', answer: family.answer }
  return { outcome: 'reused' }
}

import type { Env } from '../base/env.ts'
import type { Authenticate } from './identify.ts'

export interface RevocableOptions {
  readonly env: Env
  /** Hears of each session that ends from now on; `gap` when some may have been missed. */
  readonly follow: (ended: (session: string) => void, gap: () => void) => Promise<unknown>
  /** The sessions that ended so lately that an access token of theirs may still be valid by its times. */
  readonly load: () => Promise<readonly string[]>
  /** How long an access token is valid at most, clocks' tolerance included. */
  readonly tokenLifeMs: number
}

const retryMs = 500

/**
 * Refuses access tokens of sessions that have ended, although their signature and times are good. It is ready when it
 * knows the sessions that ended lately, so that a restart lets nobody in again.
 */
export const revocable = async (
  authenticate: Authenticate,
  { env, follow, load, tokenLifeMs }: RevocableOptions,
): Promise<Authenticate> => {
  /** Until when a session's tokens could be valid, in the order of their ends. */
  const ended = new Map<string, number>()
  const end = (session: string) => {
    for (const [old, until] of ended) {
      if (until > env.now()) break
      ended.delete(old)
    }
    ended.delete(session)
    ended.set(session, env.now() + tokenLifeMs)
  }
  const loadAll = async () => {
    for (const session of await load()) end(session)
  }
  /** Meanwhile the others are served: accounts may be away for long. */
  const again = () => {
    loadAll().catch(() => env.after(retryMs, again))
  }
  await follow(end, again)
  await loadAll()
  return async (token) => {
    const user = await authenticate(token)
    return user === undefined || ended.has(user.session) ? undefined : user
  }
}

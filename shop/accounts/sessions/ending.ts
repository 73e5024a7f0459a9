import { accounts } from '../contract.ts'
import type { AccountsStep } from '../parts.ts'
import { tokensUsableMs } from './claims.ts'
import type { Family } from './family.ts'

/** Has the edges refuse the access tokens that these families were given under their names so far. */
const disown = (s: AccountsStep, families: readonly Family[]): void => {
  const now = s.env.now()
  const usable = families.filter(({ rotatedAt }) => now < rotatedAt + tokensUsableMs)
  if (usable.length === 0) return
  s.sessions.ended.remember(usable, now)
  for (const { sid, userId } of usable)
    s.emit(accounts.events.sessionEnded, { sessionId: sid, userId })
}

/** Ends sessions whose rows are locked: neither their refresh tokens nor their access tokens are good any more. */
export const endSessions = (s: AccountsStep, families: readonly Family[]): void => {
  if (families.length === 0) return
  s.sessions.ended.end(families)
  disown(s, families)
}

/**
 * Ends the access tokens of sessions, but not the sessions: they go on under another name. A client whose access token is
 * refused trades in its refresh token, as it does every ten minutes anyway, and its user notices nothing.
 */
export const renameSessions = (s: AccountsStep, families: readonly Family[]): void => {
  disown(s, families)
  for (const family of families) s.sessions.save({ ...family, sid: s.env.id() })
}

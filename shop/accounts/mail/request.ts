import { accounts } from '../contract.ts'
import type { AccountsStep } from '../parts.ts'
import type { MailKind } from './contract.ts'

const hourMs = 3_600_000

/** How long a mail is worth sending and its link good. */
export const mailLifeMs: Readonly<Record<MailKind, number>> = {
  'email-verification': 72 * hourMs,
  'password-reset': hourMs,
  'password-changed': 24 * hourMs,
}

/** Asks notifications for a mail to a user whose row this step writes or has locked. */
export const requestMail = (s: AccountsStep, userId: string, kind: MailKind): void => {
  const requestedAt = s.env.now()
  const id = s.env.id()
  s.mailRequests.add({ id, userId, kind, requestedAt, expiresAt: requestedAt + mailLifeMs[kind] })
  s.emit(accounts.events.mailRequested, { requestId: id, userId, kind })
}

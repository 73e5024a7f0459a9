import { accounts } from '../contract.ts'
import { countKey } from '../lockout/judge.ts'
import type { AccountsContext, AccountsStep } from '../parts.ts'
import type { UserRecord } from '../repository.ts'
import type { MailKind } from './contract.ts'

const hourMs = 3_600_000

/** How long a mail is worth sending and its link good. */
export const mailLifeMs: Readonly<Record<MailKind, number>> = {
  'email-verification': 72 * hourMs,
  'password-reset': hourMs,
  'password-changed': 24 * hourMs,
}

/** Mails about accounts that an address gets in a day, at most, while nobody has confirmed that it is theirs. */
const unconfirmedMails = 5
export const countedMs = 24 * hourMs

/** What mails to an address are counted under, also those about accounts under it that were closed. */
export const mailsKey = (ctx: AccountsContext, email: string): Promise<string> =>
  countKey(ctx, 'mails-to', email)

/**
 * Asks notifications for a mail to a user whose row this step writes or has locked. Nobody is told when there is one too many:
 * whoever opens accounts under a stranger's address learns nothing, and what the mail was about is done without it.
 */
export const requestMail = async (
  s: AccountsStep,
  { id: userId, verifiedAt }: Pick<UserRecord, 'id' | 'verifiedAt'>,
  kind: MailKind,
  key: string,
): Promise<void> => {
  const requestedAt = s.env.now()
  if (verifiedAt === undefined) {
    const times = { now: requestedAt, since: requestedAt - countedMs }
    if ((await s.mailCounts.add(key, times)) > unconfirmedMails) return
  }
  const id = s.env.id()
  s.mailRequests.add({ id, userId, kind, requestedAt, expiresAt: requestedAt + mailLifeMs[kind] })
  s.emit(accounts.events.mailRequested, { requestId: id, userId, kind })
}

import { command, event, post, problem, query } from 'serval'
import { z } from 'zod'
import { NoSuchUser } from '../user.ts'

/** Mails about an account; those about orders are the orders' own. */
export const MailKind = z.enum(['email-verification', 'password-reset', 'password-changed'])
export type MailKind = z.output<typeof MailKind>

/** As it stands in a mail's link. */
export const LinkToken = z.string().min(1).max(200)

export const LinkRefused = problem('link-refused', {
  kind: 'unprocessable',
  title: 'This link is not valid any more; ask for a new one',
})
export const NothingToSend = problem('nothing-to-send', {
  kind: 'not-found',
  title: 'This mail is not wanted any more',
})

export const mailOperations = {
  verifyEmail: command({
    summary: 'Confirms an e-mail address with the token from a mail',
    access: 'public',
    repeat: 'natural',
    http: post('/api/v1/auth/verify', { status: 204 }),
    limit: { requests: 60, per: '10m', by: 'address' },
    input: z.object({ token: LinkToken }),
    output: z.undefined(),
    problems: [LinkRefused],
  }),
  /** Where to write to someone; asked when a mail is sent, so that erasure holds. */
  contact: query({
    summary: 'A user’s name and address',
    access: 'internal',
    input: z.object({ userId: z.string() }),
    output: z.object({ email: z.string(), name: z.string() }),
    problems: [NoSuchUser],
  }),
  /** What to write in a mail that `mailRequested` asks for; asked when it is sent. Every time the same. */
  mail: query({
    summary: 'To whom a requested mail goes, and the link that it holds',
    access: 'internal',
    input: z.object({ requestId: z.string() }),
    output: z.object({ email: z.string(), link: z.string().optional() }),
    problems: [NothingToSend],
  }),
}

export const mailEvents = {
  mailRequested: event('mail.requested', {
    version: 1,
    key: 'userId',
    data: z.object({ requestId: z.string(), userId: z.string(), kind: MailKind }),
  }),
}

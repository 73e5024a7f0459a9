import { port } from 'serval'

/*
 * How mail leaves. Engines: `serval/engines/smtp` (a real server), `serval/engines/mailbox` (the embedded one).
 */

export interface Mail {
  /** With angle brackets, the same for every try of one mail, so that the other side can drop a repeat. */
  readonly messageId: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

export interface MailboxItem extends Mail {
  readonly at: string
  readonly repeats: number
}

/** What a mailbox holds that can be read. */
export interface Mailbox {
  newest(options: {
    readonly limit: number
    readonly to?: string | undefined
  }): readonly MailboxItem[]
  count(): { readonly mails: number; readonly repeats: number }
}

export interface Mailer {
  /** Resolves when the mail is in other hands. Unavailability rejects as such; anything else is the mail's own fault. */
  send(mail: Mail, signal: AbortSignal): Promise<void>
  /** Absent where mail goes to a real server. */
  readonly mailbox?: Mailbox
}

export const mail = port<Mailer>()

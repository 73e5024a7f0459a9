import { createTransport } from 'nodemailer'
import { failure } from '../../base/failure.ts'
import { smtpFailure } from './failure.ts'

export { MailRefused } from './failure.ts'

export interface SmtpOptions {
  /** `smtp://user:password@host:587`, or `smtps://` for TLS from the first byte. */
  readonly url: string
  /** The sender: `orders@shop.test`, or `The Shop <orders@shop.test>`. */
  readonly from: string
  /** Connections at once, default 4; more mails wait their turn. */
  readonly maxConnections?: number
}

export interface SmtpMail {
  /** With angle brackets. The same for each try of one mail, so that a repeat can be told (RFC 5322, 3.6.4). */
  readonly messageId: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

export interface SmtpMailer {
  /**
   * Resolves when the server has taken the mail over. Rejects with `unavailable` when it cannot now (the mail may have been
   * taken all the same when `ran` is `unknown`), with `mail-refused` when it never will, with `cancelled` after an abort.
   */
  send(mail: SmtpMail, signal?: AbortSignal): Promise<void>
  /** Ends idle connections at once and the others after their mail. */
  close(): void
}

/**
 * Whoever waits retries, so a server that does not answer is given up soon. Connections that nobody uses end soon too: an
 * open one would keep a process alive.
 */
const timeouts = {
  dnsTimeout: 5_000,
  connectionTimeout: 5_000,
  greetingTimeout: 5_000,
  socketTimeout: 15_000,
  idleTimeout: 5_000,
}

const checked = (given: string): string => {
  const url = URL.parse(given)
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === '')
    // The value is not repeated: it may hold a password.
    throw failure(
      'misconfigured',
      'smtp.url must be like smtp://user:password@host:587 or smtps://…',
    )
  return given
}

/** Mail by a real server (SMTP, RFC 5321). */
export const smtp = (options: SmtpOptions): SmtpMailer => {
  const { from, maxConnections = 4 } = options
  const transport = createTransport({
    ...timeouts,
    url: checked(options.url),
    pool: true,
    maxConnections,
    // A connection that is lost within a mail is the sender's to count and to repeat.
    maxRequeues: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    send: async (mail, signal) => {
      try {
        await transport.sendMail({
          from,
          to: mail.to,
          subject: mail.subject,
          text: mail.text,
          messageId: mail.messageId,
          // Tells answering machines not to answer (RFC 3834).
          headers: { 'Auto-Submitted': 'auto-generated' },
          ...(signal === undefined ? {} : { signal }),
        })
      } catch (error) {
        throw smtpFailure(error)
      }
    },
    close: () => transport.close(),
  }
}

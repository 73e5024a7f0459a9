import { failure, type ServalError } from '../../base/failure.ts'
import { problem } from '../../contract/problem.ts'

/** The mail server will never take this mail: sending it again changes nothing. */
export const MailRefused = problem('mail-refused', {
  kind: 'unprocessable',
  title: 'The mail server refuses this mail',
})

/** What nodemailer says of a failure. */
interface SmtpError {
  readonly code?: unknown
  /** Of the server's reply (RFC 5321, 4.2). */
  readonly responseCode?: unknown
  readonly command?: unknown
}

/** Failures before the server heard of any mail. */
const before = new Set(['EDNS', 'ETLS', 'EAUTH', 'ENOAUTH', 'EOAUTH2', 'EPROXY', 'ECONFIG'])

/**
 * Whether the mail itself was refused: no recipient, or a permanent reply (5xx) to it. A permanent reply to anything else
 * (the greeting, the sign-in, the sender) is a matter of the setting, and every mail's.
 */
const refused = ({ code, responseCode, command }: SmtpError): boolean =>
  command === 'API'
    ? code === 'EENVELOPE'
    : (command === 'RCPT TO' || command === 'DATA') && Number(responseCode) >= 500

/**
 * The failure inside what nodemailer threw. Its message is left out, and so is the cause: the server's words repeat
 * addresses, and failures are logged.
 */
export const smtpFailure = (thrown: unknown): ServalError => {
  const error = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as SmtpError
  const said = [error.command, error.responseCode ?? error.code].filter(Boolean).join(' ')
  if (error.code === 'EABORT') return failure('cancelled', 'the mail was given up')
  if (refused(error)) return MailRefused(undefined, `the mail server refuses this mail (${said})`)
  const answered = error.responseCode !== undefined && error.responseCode !== false
  const unsent = answered || before.has(String(error.code)) || notConnected(thrown)
  return failure('unavailable', `the mail server did not take the mail (${said})`, {
    ran: unsent ? 'not-sent' : 'unknown',
  })
}

const notConnected = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  'syscall' in thrown &&
  (thrown.syscall === 'connect' || thrown.syscall === 'getaddrinfo')

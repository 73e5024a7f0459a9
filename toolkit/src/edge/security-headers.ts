import type { HttpReply } from '../link/http.ts'
import type { Stage } from './edge.ts'

const policy = "default-src 'none'; frame-ancestors 'none'"
const tlsOnly = 'max-age=31536000; includeSubDomains'

export interface SecurityHeadersOptions {
  /** Whether clients reach this edge over TLS only, also through a proxy: browsers are then told to insist on it. Default false. */
  readonly behindTls?: boolean
}

/**
 * What browsers are told about replies of an API (OWASP REST Security Cheat Sheet): nothing in them is to be run, framed,
 * guessed at or embedded by other sites. A reply's own headers win, so that a page may bring a policy that lets it work.
 */
export const securityHeaders = ({ behindTls = false }: SecurityHeadersOptions = {}): Stage => {
  // Written out, after the spread: an engine copies one object and appends fields fast, and merges two slowly.
  const secured = (own: HttpReply['headers']) => ({
    ...own,
    'content-security-policy': own['content-security-policy'] ?? policy,
    'cross-origin-resource-policy': own['cross-origin-resource-policy'] ?? 'same-origin',
    'referrer-policy': own['referrer-policy'] ?? 'no-referrer',
    'x-content-type-options': own['x-content-type-options'] ?? 'nosniff',
  })
  const overTls = (own: HttpReply['headers']) => ({
    ...secured(own),
    'strict-transport-security': own['strict-transport-security'] ?? tlsOnly,
  })
  const headersOf = behindTls ? overTls : secured
  return async (exchange, next) => {
    const { status, headers, body } = await next(exchange)
    const more = headersOf(headers)
    return body === undefined ? { status, headers: more } : { status, headers: more, body }
  }
}

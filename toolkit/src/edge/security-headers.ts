import type { Stage } from './edge.ts'

export interface SecurityHeadersOptions {
  /** Whether clients reach this edge over TLS only, also through a proxy: browsers are then told to insist on it. Default false. */
  readonly behindTls?: boolean
}

/**
 * What browsers are told about replies of an API (OWASP REST Security Cheat Sheet): nothing in them is to be run, framed,
 * guessed at or embedded by other sites. A reply's own headers win, so that a page may bring a policy that lets it work.
 */
export const securityHeaders = ({ behindTls = false }: SecurityHeadersOptions = {}): Stage => {
  const headers = Object.freeze({
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    ...(behindTls ? { 'strict-transport-security': 'max-age=31536000; includeSubDomains' } : {}),
  })
  return async (exchange, next) => {
    const reply = await next(exchange)
    return { ...reply, headers: { ...headers, ...reply.headers } }
  }
}

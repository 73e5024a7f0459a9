import { milliseconds, type Duration } from '../base/duration.ts'
import { failure } from '../base/failure.ts'
import type { HttpReply } from '../link/http.ts'
import type { Stage } from './edge.ts'
import { withVary } from './vary.ts'

export interface CorsOptions {
  /** Origins whose pages may read replies, such as `https://shop.example`; `*` for all. Default none. */
  readonly origins?: readonly string[] | '*'
  /** Whether cookies and the like may come along; default false. Not for all origins. */
  readonly credentials?: boolean
  /** Header fields that pages may send. */
  readonly allowHeaders?: readonly string[]
  /** Header fields of replies that pages may read. */
  readonly exposeHeaders?: readonly string[]
  /** How long a browser may remember a preflight’s answer, default 10m. */
  readonly maxAge?: Duration
}

const usuallyAllowed = [
  ...['accept', 'authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match'],
  ...['last-event-id', 'traceparent', 'tracestate', 'x-request-id'],
]

const usuallyExposed = [
  ...['etag', 'location', 'link', 'retry-after', 'ratelimit', 'ratelimit-policy'],
  ...['x-request-id', 'cache-status', 'allow', 'www-authenticate'],
]

/** As browsers serialise one (RFC 6454, 6.2): no path, lower case, no usual port. `null` is everybody's. */
const checkOrigin = (origin: string): void => {
  const [, scheme = '', host = ''] = /^([a-z][a-z\d+.-]*):\/\/([^/?#@\s]+)$/.exec(origin) ?? []
  const isWeb = scheme === 'http' || scheme === 'https'
  if (host !== '' && (!isWeb || (URL.canParse(origin) && new URL(origin).origin === origin))) return
  throw failure(
    'misconfigured',
    `cors.origins takes origins such as https://shop.example, without a path; it has ${JSON.stringify(origin)}`,
  )
}

/**
 * Cross-origin resource sharing as the Fetch standard has it: which pages’ scripts may read what this edge answers. It
 * stands around the stage that answers failures, so that pages can read those too. A preflight is answered with the methods
 * that the address takes; the routes know them, and say so when they refuse OPTIONS. Never for the operator’s address.
 */
export const cors = (options: CorsOptions = {}): Stage => {
  const { origins = [], credentials = false, maxAge = '10m' } = options
  const all = origins === '*'
  if (!all) for (const origin of origins) checkOrigin(origin)
  if (all && credentials)
    throw failure('misconfigured', 'cors.credentials needs a list of origins; it has *')
  const allowed = new Set(all ? [] : origins)
  const allowHeaders = (options.allowHeaders ?? usuallyAllowed).join(', ')
  const exposeHeaders = (options.exposeHeaders ?? usuallyExposed).join(', ')
  const maxAgeSeconds = String(Math.floor(milliseconds(maxAge, 'cors.maxAge') / 1_000))

  /** The same for every request when all origins are allowed; otherwise it depends on Origin, which Vary says. */
  const share = (headers: HttpReply['headers'], origin: string | undefined, more: object) => {
    const grant = {
      'access-control-allow-origin': all ? '*' : (origin ?? ''),
      ...(credentials ? { 'access-control-allow-credentials': 'true' } : {}),
      ...more,
    }
    if (all) return { ...headers, ...grant }
    const varied = withVary(headers, 'origin')
    return origin !== undefined && allowed.has(origin) ? { ...varied, ...grant } : varied
  }

  // Then no reply depends on who asks.
  if (!all && allowed.size === 0) return (exchange, next) => next(exchange)
  return async (exchange, next) => {
    const { request, correlationId } = exchange
    const reply = await next(exchange)
    const origin = request.header('origin')
    const isPreflight =
      request.method === 'OPTIONS' &&
      origin !== undefined &&
      request.header('access-control-request-method') !== undefined
    const methods = reply.headers['allow']
    if (!isPreflight || reply.status !== 405 || methods === undefined)
      return {
        ...reply,
        headers: share(reply.headers, origin, { 'access-control-expose-headers': exposeHeaders }),
      }
    if (!all && !allowed.has(origin))
      return { ...reply, headers: withVary(reply.headers, 'origin') }
    return {
      status: 204,
      headers: share({ allow: methods, 'x-request-id': correlationId }, origin, {
        'access-control-allow-methods': methods,
        'access-control-allow-headers': allowHeaders,
        'access-control-max-age': maxAgeSeconds,
      }),
    }
  }
}

import { asyncApi } from '../contract/asyncapi.ts'
import { entityTag, namesTag, type Contract, type Operation } from '../contract/index.ts'
import { openApi } from '../contract/openapi.ts'
import {
  bearer,
  bearsOperatorKey,
  compression,
  cors,
  edge,
  localOnly,
  operatorKey,
  rateLimit,
  responseCache,
  securityHeaders,
  statusOf,
  type Authenticate,
  type Compress,
  type CorsOptions,
  type EdgeOptions,
  type Page,
  type RateLimitOptions,
  type ResponseCache,
} from '../edge/index.ts'
import type { HttpReply, HttpRequest } from '../link/http.ts'
import type { System } from './setup.ts'

/** What a setup says about its public edge. What is left out is as safe as it can be: no other origins, no proxies. */
export interface EdgeSettings {
  /** Pages of which origins may read replies; default none. */
  readonly cors?: CorsOptions
  /** Addresses and CIDR ranges of proxies whose X-Forwarded-For is believed; default none. */
  readonly trustedProxies?: readonly string[]
  /** Whether clients come over TLS only, such as through a proxy that ends it; default false. */
  readonly behindTls?: boolean
  /** What each address, and each user, may ask; default 6,000 and 1,200 requests a minute. */
  readonly limits?: RateLimitOptions['policies']
  /** Encodes replies for clients that take it; default: nothing is encoded. */
  readonly compress?: Compress
  /** Further pages, such as a reference for people. */
  readonly pages?: Readonly<Record<string, Page>>
}

type Common = Pick<EdgeOptions, 'env' | 'log' | 'link' | 'leaving'> & {
  readonly contracts: readonly Contract[]
  readonly ready: () => boolean
  readonly system: System
}

const usualLimits: RateLimitOptions['policies'] = {
  address: { requests: 6_000, perMs: 60_000 },
  caller: { requests: 1_200, perMs: 60_000 },
}

const isPublic = (operation: Operation) =>
  operation.access !== 'operator' && operation.access !== 'internal'
const isOperators = (operation: Operation) => operation.access === 'operator'

const json = (value: unknown, status = 200): HttpReply => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  body: JSON.stringify(value),
})

/** A document that does not change while the host runs: made, encoded and tagged once. */
const document = (value: unknown): Page => {
  const body = new TextEncoder().encode(JSON.stringify(value))
  const tag = entityTag(body)
  const headers = { 'cache-control': 'no-cache', etag: tag }
  const whole = { status: 200, headers: { ...headers, 'content-type': 'application/json' }, body }
  return (request) => {
    const known = request.header('if-none-match')
    const isKnown = known !== undefined && namesTag(known, tag, 'weak')
    return Promise.resolve(isKnown ? { status: 304, headers } : whole)
  }
}

const pagesOf = (
  { contracts, ready, system: { title, version } }: Common,
  serves: (operation: Operation) => boolean,
): Record<string, Page> => ({
  '/openapi.json': document(openApi({ title, version, contracts, serves, statusOf })),
  '/health/live': () => Promise.resolve(json({ status: 'live' })),
  '/health/ready': () =>
    Promise.resolve(ready() ? json({ status: 'ready' }) : json({ status: 'not-ready' }, 503)),
})

type Handle = (request: HttpRequest) => Promise<HttpReply>

/** What everybody may reach. `key` is the operator's: it lifts rate limits. */
export const publicEdge = (
  common: Common,
  settings: EdgeSettings,
  { authenticate, key }: { readonly authenticate: Authenticate; readonly key: string },
): { readonly handle: Handle; readonly cache: ResponseCache } => {
  const { env, log, contracts, system } = common
  const cache = responseCache({ env, log })
  const limits = rateLimit({
    env,
    policies: settings.limits ?? usualLimits,
    ...(settings.trustedProxies === undefined ? {} : { trustedProxies: settings.trustedProxies }),
    // A wrong key lifts nothing; whether it was right is nobody's business here.
    lifted: bearsOperatorKey(key),
  })
  const { title, version } = system
  const handle = edge({
    ...common,
    serves: isPublic,
    identify: bearer(authenticate),
    pages: {
      ...pagesOf(common, isPublic),
      '/asyncapi.json': document(asyncApi({ title, version, contracts })),
      ...settings.pages,
    },
    around: [securityHeaders({ behindTls: settings.behindTls ?? false }), cors(settings.cors)],
    before: settings.compress === undefined ? [] : [compression({ compress: settings.compress })],
    limits,
    cache: cache.stage,
  })
  return { handle, cache }
}

/** What the operator reaches, on an address that is never public. */
export const operatorEdge = (common: Common, key: string, host: string): Handle =>
  edge({
    ...common,
    serves: isOperators,
    identify: operatorKey(key),
    around: [securityHeaders()],
    before: [localOnly(['127.0.0.1', 'localhost', '[::1]', host])],
    pages: pagesOf(common, isOperators),
  })

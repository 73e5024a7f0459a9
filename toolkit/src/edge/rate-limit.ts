import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import type { LimitRule } from '../contract/index.ts'
import type { HttpRequest } from '../link/http.ts'
import { clientAddress, networkOf, trustedProxies } from './client-address.ts'
import type { Exchange, Stage } from './edge.ts'
import type { Quota, Room } from './gcra.ts'
import { memoryRates, type Cell, type RateStore } from './rate-store.ts'
import type { Route } from './router.ts'

export interface RateLimitOptions {
  readonly env: Env
  /** Default: in this process. */
  readonly store?: RateStore
  /** What every routed request is counted by, beside its operation's own `limit`. None of a kind that is left out. */
  readonly policies: {
    /** By the client's address, before it is asked who it is. */
    readonly address?: Quota
    /** By the signed-in user. */
    readonly caller?: Quota
  }
  /** Whether a request is exempt, such as one with the operator's key: it is not counted either. */
  readonly lifted?: (request: HttpRequest) => boolean | Promise<boolean>
  /** Addresses and CIDR ranges whose X-Forwarded-For is believed; default none. */
  readonly trustedProxies?: readonly string[]
}

/** The limiter's stages, each at its place among the edge's. */
export interface RateLimit {
  /** Around the stage that answers failures: puts RateLimit and RateLimit-Policy on the reply, whatever it is. */
  readonly report: Stage
  /** Between the routes and authentication. */
  readonly byAddress: Stage
  /** After authentication. */
  readonly byCaller: Stage
}

/** A quota with the name that clients see. */
interface Policy extends Quota {
  readonly name: string
  /** As RateLimit-Policy tells it. */
  readonly item: string
}

interface Counted {
  readonly policy: Policy
  readonly room: Room
}

/** What the stages found out, for the one that reports it. */
interface Reported extends Exchange {
  readonly counted?: Counted[]
}

const seconds = (ms: number): number => Math.ceil(ms / 1_000)

/** Structured fields (RFC 9651) of draft-ietf-httpapi-ratelimit-headers-10; a window of less than a second cannot be told. */
const policyFor = (name: string, requests: number, perMs: number): Policy => {
  const window = perMs % 1_000 === 0 ? `;w=${perMs / 1_000}` : ''
  return { name, requests, perMs, item: `"${name}";q=${requests}${window}` }
}

const checked = (name: string, { requests, perMs }: Quota): Policy => {
  if (Number.isInteger(requests) && requests > 0 && Number.isInteger(perMs) && perMs > 0)
    return policyFor(name, requests, perMs)
  throw failure(
    'misconfigured',
    `the rate limit ${name} takes whole numbers above 0 for requests and perMs; it has ${requests} and ${perMs}`,
  )
}

const policyOf = ({ contract, name }: Route, { requests, perMs }: LimitRule): Policy =>
  policyFor(
    // A structured field's string holds these characters as they are.
    `${contract.name}.${name}`.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, ''),
    requests,
    Math.max(1, Math.round(perMs)),
  )

const limitItem = ({ policy, room }: Counted): string =>
  `"${policy.name}";r=${room.remaining};t=${seconds(room.moreInMs)}`

const none: readonly Policy[] = []

/** Refuses when one of the policies has no room. A refused request is counted by none of them. */
const count = async (
  store: RateStore,
  policies: readonly Policy[],
  cell: Pick<Cell, 'by' | 'key'>,
  counted: Counted[] = [],
): Promise<void> => {
  const { by, key } = cell
  const rooms = await store.take(
    policies.map((quota) => ({ by, key: `${quota.name} ${key}`, quota })),
  )
  for (const [index, room] of rooms.entries()) {
    const policy = policies[index]
    if (policy !== undefined) counted.push({ policy, room })
  }
  if (rooms.every(({ allowed }) => allowed)) return
  const refused = counted.filter(({ policy, room }) => policies.includes(policy) && !room.allowed)
  const [first] = refused
  if (first === undefined) return
  const retryAfterSeconds = Math.max(...refused.map(({ room }) => seconds(room.moreInMs)))
  const { name, requests, perMs } = first.policy
  throw failure(
    'rate-limited',
    `The limit ${name} allows ${requests} requests in ${perMs / 1_000} s; come again in ${retryAfterSeconds} s`,
    { data: { retryAfterSeconds, 'violated-policies': refused.map(({ policy }) => policy.name) } },
  )
}

/**
 * Limits how often a client may call, by the GCRA (see `meter`): 429 with Retry-After. What has no route is not counted:
 * a 404 costs less than counting it, and pages are for whoever looks after the host.
 */
export const rateLimit = (options: RateLimitOptions): RateLimit => {
  const { env, policies, lifted = () => false, store = memoryRates({ env }) } = options
  const proxies = trustedProxies(options.trustedProxies ?? [])
  const usual = {
    address: policies.address && checked('address', policies.address),
    caller: policies.caller && checked('caller', policies.caller),
  }
  const known = new Map<Route, Policy>()
  /** The policy of a route's operation, if it counts by this. */
  const ownPolicy = ({ route }: Exchange, by: LimitRule['by']): Policy | undefined => {
    const limit = route?.operation.limit
    if (route === undefined || limit?.by !== by) return undefined
    const policy = known.get(route) ?? policyOf(route, limit)
    known.set(route, policy)
    return policy
  }
  const listed = (...from: (Policy | undefined)[]) => from.filter((one) => one !== undefined)
  const alone = { address: listed(usual.address), caller: listed(usual.caller) }
  /** What a request is counted by: mostly the same list, made once. */
  const appliedOf = (exchange: Exchange, by: LimitRule['by'], withUsual: boolean) => {
    const own = ownPolicy(exchange, by)
    if (own !== undefined) return listed(withUsual ? usual[by] : undefined, own)
    return withUsual ? alone[by] : none
  }
  const addressCell = ({ request }: Exchange) =>
    ({ by: 'address', key: networkOf(clientAddress(request, proxies)) }) as const

  const report: Stage = async (exchange, next) => {
    const counted: Counted[] = []
    const reported: Reported = { ...exchange, counted }
    const reply = await next(reported)
    if (counted.length === 0) return reply
    // Retry-After must not be earlier than any time that RateLimit tells: a refusal tells of what refused.
    const refused = counted.some(({ room }) => !room.allowed)
    const told = refused ? counted.filter(({ room }) => !room.allowed) : counted
    const headers = {
      ...reply.headers,
      'ratelimit-policy': counted.map(({ policy }) => policy.item).join(', '),
      ratelimit: told.map(limitItem).join(', '),
    }
    return { ...reply, headers }
  }
  const passed = async (
    exchange: Reported,
    applied: readonly Policy[],
    cell: Pick<Cell, 'by' | 'key'>,
  ): Promise<Exchange> => {
    if (!(await lifted(exchange.request))) await count(store, applied, cell, exchange.counted)
    return exchange
  }
  const byAddress: Stage = (exchange: Reported, next) => {
    const applied = appliedOf(exchange, 'address', true)
    if (applied.length === 0) return next(exchange)
    return passed(exchange, applied, addressCell(exchange)).then(next)
  }
  const byCaller: Stage = (exchange: Reported, next) => {
    const { caller } = exchange
    const isUser = caller?.kind === 'user'
    const applied = appliedOf(exchange, 'caller', isUser)
    if (applied.length === 0) return next(exchange)
    const cell = isUser ? ({ by: 'caller', key: caller.id } as const) : addressCell(exchange)
    return passed(exchange, applied, cell).then(next)
  }
  return { report, byAddress, byCaller }
}

import type { Env } from '../base/env.ts'
import { asFailure, failure } from '../base/failure.ts'
import type { Access, Contract, Operation } from '../contract/index.ts'
import { compose, type Interceptor } from '../guard/index.ts'
import type { Caller, Link } from '../link/call.ts'
import { HttpRefusal, type HttpReply, type HttpRequest } from '../link/http.ts'
import type { Logger } from '../telemetry/log.ts'
import { acceptableRequestId } from '../telemetry/trace.ts'
import { decodeInput } from './decode.ts'
import { checkAccept, encodeReply } from './encode.ts'
import { feedCounter, resumed } from './feed.ts'
import { failureReply, isInside, refusalReply } from './problems.ts'
import type { RateLimit } from './rate-limit.ts'
import { router, routesOf, splitTarget, type Route } from './router.ts'

/** One request on its way through the edge's stages, each of which may add what it found. */
export interface Exchange {
  readonly request: HttpRequest
  readonly path: string
  readonly query: string
  readonly correlationId: string
  readonly route?: Route
  readonly parameters?: Readonly<Record<string, string>>
  readonly caller?: Caller
}

export type Stage = Interceptor<Exchange, HttpReply>

/** Says who calls, by the request's credentials: undefined when there are none. Throws `unauthenticated` for wrong ones. */
export type Identify = (request: HttpRequest) => Promise<Caller | undefined>

/** A page beside the operations: a document, a health check. */
export type Page = (request: HttpRequest) => Promise<HttpReply>

export interface EdgeOptions {
  readonly env: Env
  readonly log: Logger
  readonly contracts: readonly Contract[]
  readonly link: Link
  /** Which operations this edge serves. */
  readonly serves: (operation: Operation) => boolean
  readonly identify: Identify
  readonly pages?: Readonly<Record<string, Page>>
  /** Stages around every reply, failures' too: what they add is on all of them. */
  readonly around?: readonly Stage[]
  /** Stages that come before the route is looked for, such as a check of the Host header. */
  readonly before?: readonly Stage[]
  readonly limits?: RateLimit
  /** Answers for the services what it keeps. */
  readonly cache?: Stage
  /** Feeds that a user, or an address, may have open at the same time; default 20. */
  readonly feedsPerClient?: number
  /** Aborts when the host stops: feeds end, so that their clients go on at another. */
  readonly leaving?: AbortSignal
}

const staying = new AbortController().signal

/** The API gateway's handler: HTTP in, operations out. Stages run in list order. */
export const edge = (options: EdgeOptions): ((request: HttpRequest) => Promise<HttpReply>) => {
  const { limits, cache } = options
  const stages: Stage[] = [
    ...(options.around ?? []),
    ...(limits === undefined ? [] : [limits.report]),
    answerFailures(options),
    ...(options.before ?? []),
    pages(options.pages ?? {}),
    findRoute(options),
    ...(limits === undefined ? [] : [limits.byAddress]),
    authenticate(options.identify),
    ...(limits === undefined ? [] : [limits.byCaller]),
    ...(cache === undefined ? [] : [cache]),
  ]
  const run = compose(stages, forward(options))
  return (request) => {
    const [path, query] = splitTarget(request.target)
    const correlationId = acceptableRequestId(request.header('x-request-id')) ?? options.env.id()
    return run({ request, path, query, correlationId })
  }
}

const refuse = (log: Logger, exchange: Exchange, error: unknown): HttpReply => {
  const { correlationId, path, request } = exchange
  const about = { correlationId, instance: path }
  if (error instanceof HttpRefusal)
    return refusalReply(error.status, { ...about, detail: error.message })
  const failed = asFailure(error)
  const fields = { correlationId, method: request.method, path }
  if (failed.kind === 'internal') log.error('a request failed', fields, error)
  else if (isInside(failed)) log.info('a request was not answered', fields, error)
  try {
    return failureReply(failed, about)
  } catch (unwritable) {
    // A problem's data may hold what JSON does not.
    log.error('a problem could not be written', { ...fields, code: failed.code }, unwritable)
    return failureReply(failure('internal'), about)
  }
}

/** Turns whatever fails into a problem document, and gives every reply its request id. */
const answerFailures =
  ({ env, log }: EdgeOptions): Stage =>
  async (exchange, next) => {
    const begun = env.now()
    const { correlationId, path, request } = exchange
    let reply: HttpReply
    try {
      reply = await next(exchange)
    } catch (error) {
      reply = refuse(log, exchange, error)
    }
    log.debug('request', {
      correlationId,
      method: request.method,
      path,
      status: reply.status,
      ms: env.now() - begun,
    })
    const headers = {
      ...reply.headers,
      'x-request-id': correlationId,
      'x-content-type-options': 'nosniff',
    }
    const { status, body } = reply
    return body === undefined ? { status, headers } : { status, headers, body }
  }

const pages = (pageByPath: Readonly<Record<string, Page>>): Stage => {
  const byPath = new Map(Object.entries(pageByPath))
  return (exchange, next) => {
    const page = byPath.get(exchange.path)
    if (page === undefined) return next(exchange)
    if (exchange.request.method === 'GET' || exchange.request.method === 'HEAD')
      return page(exchange.request)
    return Promise.resolve(
      refusalReply(405, {
        correlationId: exchange.correlationId,
        instance: exchange.path,
        headers: { allow: 'GET, HEAD' },
      }),
    )
  }
}

const findRoute = (options: EdgeOptions): Stage => {
  const find = router(routesOf(options.contracts, options.serves))
  return (exchange, next) => {
    const { request, path, correlationId } = exchange
    const match = find(request.method, path)
    if (match === undefined || 'allow' in match) {
      const about = { correlationId, instance: path }
      if (match === undefined) return Promise.resolve(refusalReply(404, about))
      return Promise.resolve(
        refusalReply(405, { ...about, headers: { allow: match.allow.join(', ') } }),
      )
    }
    const { route, parameters } = match
    checkAccept(route, request)
    return next({ ...exchange, route, parameters })
  }
}

const anonymous: Caller = { kind: 'anonymous' }

/** What anyone may call is called by nobody in particular, whatever credentials come along; everything else needs good ones. */
const authenticate = (identify: Identify): Stage => {
  const identified = async (exchange: Exchange, access: Access | undefined) => {
    const caller = await identify(exchange.request)
    if (caller === undefined)
      throw failure(
        'unauthenticated',
        access === 'operator'
          ? 'Send the operator’s key, which the host prints at its start, as x-serval-operator'
          : 'Sign in and send the access token',
      )
    return { ...exchange, caller }
  }
  return (exchange, next) => {
    const access = exchange.route?.operation.access
    return access === 'public'
      ? next({ ...exchange, caller: anonymous })
      : identified(exchange, access).then(next)
  }
}

const idempotencyKey = (request: HttpRequest): string | undefined => {
  const key = request.header('idempotency-key')
  if (key === undefined || key === '') return undefined
  if (/^[\x20-\x7e]{1,255}$/.test(key)) return key
  throw failure(
    'invalid-input',
    'The Idempotency-Key header holds 1 to 255 printable ASCII characters',
    {
      data: {
        errors: [
          {
            pointer: '',
            message: 'The Idempotency-Key header holds 1 to 255 printable ASCII characters',
          },
        ],
      },
    },
  )
}

const forward = (options: EdgeOptions) => {
  const counted = feedCounter(options.feedsPerClient ?? 20)
  return async ({
    request,
    route,
    parameters,
    query,
    caller,
    correlationId,
  }: Exchange): Promise<HttpReply> => {
    if (route === undefined || parameters === undefined || caller === undefined)
      throw failure('internal', 'the edge forwards before it has routed')
    const { operation, contract, name } = route
    const key = operation.repeat === 'key' ? idempotencyKey(request) : undefined
    const input = resumed(route, request, await decodeInput(route, parameters, query, request))
    const reply = await options.link.call({
      contract: contract.name,
      operation: name,
      input,
      caller,
      key,
      deadline: options.env.now() + operation.deadlineMs,
      signal: request.signal,
      trace: { correlationId },
      strict: true,
      target: `${contract.name}.${name}`,
      repeatable:
        operation.repeat === 'natural' || (operation.repeat === 'key' && key !== undefined),
    })
    // A feed outlives the check of who asked for it: it ends with the access token, and with the session.
    const allowed = () =>
      operation.access === 'public'
        ? Promise.resolve(true)
        : options.identify(request).then(
            (now) => now !== undefined,
            () => false,
          )
    return encodeReply(route, request, reply, {
      env: options.env,
      allowed,
      leaving: options.leaving ?? staying,
      counted: (stream) =>
        counted(caller.kind === 'user' ? `user ${caller.id}` : request.remoteAddress, stream),
    })
  }
}

import type { Env } from '../base/env.ts'
import { asFailure, failure } from '../base/failure.ts'
import type { Logger } from '../telemetry/log.ts'
import { acceptableRequestId } from '../telemetry/trace.ts'
import { isFeed, type Call, type Link, type Reply } from './call.ts'
import type { HttpReply, HttpRequest } from './http.ts'
import { feedType, linkHeaders, linkPath } from './http-link.ts'
import type { Identities } from './identity.ts'

export interface HttpLinkServerOptions {
  readonly env: Env
  readonly log: Logger
  /** Reaches the services of this host. */
  readonly link: Link
  readonly identities: Identities
  /** Aborts when the host stops: new calls are refused as not sent, and feeds end, so that their callers go on at another. */
  readonly leaving: AbortSignal
}

const longestWaitMs = 24 * 3_600_000

const encoder = new TextEncoder()
const line = (message: unknown): Uint8Array => encoder.encode(`${JSON.stringify(message)}\n`)

const json = (status: number, message: unknown): HttpReply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(message),
})

/** Header fields hold ASCII. */
const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

const misspoken = (detail: string) => failure('invalid-input', `the link: ${detail}`)

const read = <T>(what: string, decode: () => T): T => {
  try {
    return decode()
  } catch (cause) {
    throw failure('invalid-input', `the link: ${what} cannot be read`, { cause })
  }
}

const callOf = async (
  request: HttpRequest,
  { env, identities }: HttpLinkServerOptions,
): Promise<Call> => {
  const [contract = '', operation = '', ...more] = read('the path', () =>
    request.target.slice(linkPath.length).split('/').map(decodeURIComponent),
  )
  if (!request.target.startsWith(linkPath) || operation === '' || more.length > 0)
    throw misspoken(`calls go to ${linkPath}<contract>/<operation>, not to ${request.target}`)
  if (request.method !== 'POST') throw misspoken(`calls are POSTs, not ${request.method}s`)
  const token = /^Bearer (\S+)$/.exec(request.header('authorization') ?? '')?.[1]
  if (token === undefined) throw failure('unauthenticated', 'the link: a call needs an identity')
  const caller = await identities.verify(token, contract)
  const left = Number(request.header(linkHeaders.time))
  if (!(left >= 0 && left <= longestWaitMs))
    throw misspoken(`${linkHeaders.time} is 0 to ${longestWaitMs}`)
  const body = new TextDecoder().decode(await request.body())
  const key = request.header('idempotency-key')
  return {
    contract,
    operation,
    input: body === '' ? undefined : read('the body', (): unknown => JSON.parse(body)),
    caller,
    key: key === undefined ? undefined : read('the key', () => decodeURIComponent(key)),
    deadline: env.now() + left,
    signal: request.signal,
    trace: { correlationId: acceptableRequestId(request.header('x-request-id')) ?? env.id() },
    strict: request.header(linkHeaders.strict) === '1',
    target: `${contract}.${operation}`,
    // Whoever calls has the guards that repeat.
    repeatable: false,
  }
}

async function* lines(feed: AsyncIterable<unknown>): AsyncIterable<Uint8Array> {
  try {
    for await (const item of feed) yield line({ item })
    yield line({ end: true })
  } catch (error) {
    yield line({ failed: asFailure(error) })
  }
}

const httpReply = (reply: Reply): HttpReply => {
  if (reply.remembered !== undefined) {
    const { status, contentType, location, body } = reply.remembered
    return {
      status: 200,
      headers: { [linkHeaders.remembered]: asciiJson({ status, contentType, location }) },
      body,
    }
  }
  if (isFeed(reply))
    return {
      status: 200,
      headers: { 'content-type': feedType },
      body: lines(reply.value),
    }
  return reply.value === undefined ? { status: 204, headers: {} } : json(200, reply.value)
}

/** Answers other hosts' calls to the services of this one. */
export const httpLinkServer =
  (options: HttpLinkServerOptions) =>
  async (request: HttpRequest): Promise<HttpReply> => {
    try {
      if (options.leaving.aborted) throw failure('draining')
      return httpReply(await options.link.call(await callOf(request, options)))
    } catch (error) {
      const failed = asFailure(error)
      if (failed.kind === 'internal')
        options.log.error('a call over a link failed', { target: request.target }, error)
      return json(500, failed)
    }
  }

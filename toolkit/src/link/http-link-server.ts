import type { Env } from '../base/env.ts'
import { asFailure, failure } from '../base/failure.ts'
import type { Logger } from '../telemetry/log.ts'
import { acceptableRequestId } from '../telemetry/trace.ts'
import { isFeed, type Call, type Link, type Reply } from './call.ts'
import { HttpRefusal, type HttpReply, type HttpRequest } from './http.ts'
import { feedType, linkHeaders, linkPath, longestWaitMs, maxMessageBytes } from './http-link.ts'
import type { Identities } from './identity.ts'
import { unreadable } from './unreadable.ts'

export interface HttpLinkServerOptions {
  readonly env: Env
  readonly log: Logger
  /** Reaches the services of this host. */
  readonly link: Link
  readonly identities: Identities
  /** Aborts when the host stops: new calls are refused as not sent, and feeds end, so that their callers go on at another. */
  readonly leaving: AbortSignal
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
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
    throw misspoken(`${what} cannot be read: ${unreadable(cause)}`)
  }
}

const callOf = async (
  request: HttpRequest,
  { env, identities }: HttpLinkServerOptions,
): Promise<Call> => {
  const [contract = '', operation, ...more] = read('the path', () =>
    request.target.slice(linkPath.length).split('/').map(decodeURIComponent),
  )
  if (!request.target.startsWith(linkPath) || operation === undefined || more.length > 0)
    throw misspoken(`calls go to ${linkPath}<contract>/<operation>, not to ${request.target}`)
  if (request.method !== 'POST') throw misspoken(`calls are POSTs, not ${request.method}s`)
  const token = /^Bearer (\S+)$/.exec(request.header('authorization') ?? '')?.[1]
  if (token === undefined) throw failure('unauthenticated', 'the link: a call needs an identity')
  const caller = await identities.verify(token, contract)
  const time = request.header(linkHeaders.time) ?? ''
  const left = Number(time)
  if (!/^\d{1,8}$/.test(time) || left > longestWaitMs)
    throw misspoken(
      `${linkHeaders.time} is a whole number from 0 to ${longestWaitMs}, not ${JSON.stringify(time.slice(0, 40))}`,
    )
  const bytes = await request.body()
  const key = request.header('idempotency-key')
  return {
    contract,
    operation,
    input:
      bytes.length === 0
        ? undefined
        : read('the body', (): unknown => JSON.parse(decoder.decode(bytes))),
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

const refusals: Readonly<Record<number, string>> = {
  408: 'a call was not complete in time',
  413: `a call over a link has at most ${maxMessageBytes} bytes`,
  414: 'the path of a call is too long',
  431: 'the header of a call is too large',
}

/** What HTTP itself refuses, as the failure that a caller understands. */
export const refuseCall = (status: number): HttpReply => {
  const detail = refusals[status] ?? `what came is no call (${status})`
  return { ...json(status, failure('invalid-input', `the link: ${detail}`)), last: true }
}

/** Answers other hosts' calls to the services of this one. */
export const httpLinkServer =
  (options: HttpLinkServerOptions) =>
  async (request: HttpRequest): Promise<HttpReply> => {
    if (options.leaving.aborted) return json(500, failure('draining'))
    let isCall = false
    try {
      const call = await callOf(request, options)
      isCall = true
      return httpReply(await options.link.call(call))
    } catch (error) {
      if (error instanceof HttpRefusal) return refuseCall(error.status)
      const failed = asFailure(error)
      if (failed.kind === 'internal')
        options.log.error('a call over a link failed', { target: request.target }, error)
      const reply = json(500, failed)
      return isCall ? reply : { ...reply, last: true }
    }
  }

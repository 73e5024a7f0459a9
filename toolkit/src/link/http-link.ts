import { z } from 'zod'
import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import type { Call, Link, Reply } from './call.ts'
import { failureFrom } from './failure-message.ts'
import type { HttpAnswer, SendHttp } from './http-send.ts'
import type { Identities } from './identity.ts'
import { unreadable } from './unreadable.ts'

/*
 * Calls between hosts over HTTP/1.1: POST /link/1/<contract>/<operation> with the input as JSON. What travels beside it: the caller
 * (a signed token), the time that is left, the correlation id, the idempotency key. A value is answered as JSON with 200, nothing
 * with 204, a remembered reply as its bytes, a feed as lines of JSON, a failure as JSON with 500 whatever its kind: its words say more than a status.
 */

export const linkPath = '/link/1/'
export const linkHeaders = {
  time: 'serval-time-left-ms',
  strict: 'serval-strict',
  remembered: 'serval-remembered',
} as const
/** Of a call, of a reply, and of an item. */
export const maxMessageBytes = 16 * 1024 * 1024
export const longestWaitMs = 24 * 3_600_000
export const feedType = 'application/x-ndjson'

export interface HttpLinkOptions {
  readonly env: Env
  readonly send: SendHttp
  readonly identities: Identities
  /** Of the other host: scheme, host and port. */
  readonly address: string
}

const decoder = new TextDecoder()

const Remembered = z.object({
  status: z.int(),
  contentType: z.string(),
  location: z.string().optional(),
})
const FeedLine = z.object({
  item: z.unknown().optional(),
  failed: z.unknown().optional(),
  end: z.boolean().optional(),
})

const parsed = <S extends z.ZodType>(schema: S, text: string, target: string): z.output<S> => {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw failure(
      'internal',
      `${target}: the other side of the link answered otherwise than links do: ${unreadable(cause)}`,
    )
  }
}

/** A feed's lines: an item each, the end, or the failure that ended it. */
async function* items(answer: HttpAnswer, target: string): AsyncIterable<unknown> {
  const utf8 = new TextDecoder()
  let rest = ''
  for await (const bytes of answer.stream()) {
    const [first = '', ...more] = utf8.decode(bytes, { stream: true }).split('\n')
    // Only what is new is searched: an item may come in many pieces.
    const lines = [rest + first, ...more]
    rest = lines.pop() ?? ''
    if (rest.length > maxMessageBytes)
      throw failure('internal', `${target}: an item has at most ${maxMessageBytes} bytes`)
    for (const line of lines) {
      if (line === '') continue
      const { item, failed, end } = parsed(FeedLine, line, target)
      if (failed !== undefined) throw failureFrom(failed)
      if (end === true) return
      yield item
    }
  }
  throw failure('unknown-outcome', `${target}: the connection ended within the feed`)
}

const replyOf = async (answer: HttpAnswer, { target }: Call): Promise<Reply> => {
  const remembered = answer.header(linkHeaders.remembered)
  if (answer.status === 204 && remembered === undefined) return { value: undefined }
  if (answer.header('content-type') === feedType) return { value: items(answer, target) }
  const body = await answer.body()
  if (answer.status === 200 && remembered !== undefined) {
    const { status, contentType, location } = parsed(Remembered, remembered, target)
    return { remembered: { status, contentType, location, body } }
  }
  const message = parsed(z.unknown(), decoder.decode(body), target)
  if (answer.status === 200) return { value: message }
  throw failureFrom(message)
}

/** The link to one host. */
export const httpLink = ({ env, send, identities, address }: HttpLinkOptions): Link => ({
  call: async (call) => {
    const { contract, operation, input, key, strict, trace, signal } = call
    const token = await identities.sign(call.caller, contract)
    const left = Math.min(longestWaitMs, Math.max(0, call.deadline - env.now()))
    const body = input === undefined ? '' : JSON.stringify(input)
    if (body.length > maxMessageBytes)
      throw failure('invalid-input', `a call over a link has at most ${maxMessageBytes} bytes`, {
        ran: 'not-sent',
      })
    const headers: Record<string, string> = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'x-request-id': trace.correlationId,
      [linkHeaders.time]: String(Math.ceil(left)),
    }
    if (key !== undefined) headers['idempotency-key'] = encodeURIComponent(key)
    if (strict) headers[linkHeaders.strict] = '1'
    const answer = await send({
      address,
      method: 'POST',
      target: `${linkPath}${contract}/${encodeURIComponent(operation)}`,
      headers,
      body,
      signal,
    })
    return replyOf(answer, call)
  },
})

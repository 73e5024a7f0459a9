import { namesTag } from '../contract/index.ts'
import type { HttpReply, HttpRequest } from '../link/http.ts'

/** A whole reply of status 200. Its bytes are the same object each time, so that what is made of them is made once. */
export interface StoredReply {
  readonly headers: HttpReply['headers']
  readonly body: Uint8Array
  /** When its fill began, milliseconds since the epoch. */
  readonly begunAt: number
  readonly freshUntil: number
  /** Until then it is answered while it is fetched anew. */
  readonly staleUntil: number
  /** When a refresh may be tried again. */
  refreshAt: number
  /** The replies are made once a second: only their Age and Cache-Status change. */
  made: MadeReplies | undefined
}

interface MadeReplies {
  readonly age: number
  readonly ttl: number
  readonly full: HttpReply
  readonly notModified: HttpReply
}

const utf8 = new TextEncoder()

/** Whether a reply may be told to everybody: a whole one, which names nobody and nothing of the request. */
export const isStorable = (reply: HttpReply): boolean => {
  const { status, headers, body } = reply
  return (
    status === 200 &&
    (typeof body === 'string' || body instanceof Uint8Array) &&
    headers['set-cookie'] === undefined &&
    headers['vary'] === undefined &&
    headers['content-encoding'] === undefined &&
    !/\b(no-store|private)\b/i.test(String(headers['cache-control'] ?? ''))
  )
}

export const bytesOf = (body: HttpReply['body']): Uint8Array =>
  typeof body === 'string'
    ? utf8.encode(body)
    : body instanceof Uint8Array
      ? body
      : new Uint8Array()

/** RFC 9110, 15.4.5: a 304 has what the 200 would have had, but for what describes the content. */
const withoutContent = (headers: HttpReply['headers']): HttpReply['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('content-')))

/** The reply with its Cache-Status (RFC 9211): whole, or 304 to a client that has it already. */
export const replyFrom = (
  stored: Pick<StoredReply, 'headers' | 'body'>,
  request: HttpRequest,
  cacheStatus: string,
): HttpReply => {
  const { headers, body } = stored
  const more = { ...headers, 'cache-status': cacheStatus }
  return isKnown(headers, request)
    ? { status: 304, headers: withoutContent(more) }
    : { status: 200, headers: more, body }
}

const isKnown = (headers: HttpReply['headers'], request: HttpRequest): boolean => {
  const { etag } = headers
  if (typeof etag !== 'string') return false
  const known = request.header('if-none-match')
  return known !== undefined && namesTag(known, etag, 'weak')
}

/** A reply from what is stored; nothing is made for it that was made within the same second. */
export const hitFrom = (
  stored: StoredReply,
  request: HttpRequest,
  name: string,
  now: number,
): HttpReply => {
  const age = Math.floor((now - stored.begunAt) / 1000)
  // Below nothing once it is stale.
  const ttl = Math.floor((stored.freshUntil - now) / 1000)
  let { made } = stored
  if (made?.age !== age || made.ttl !== ttl) {
    const cacheStatus = `${name}; hit; ttl=${ttl}`
    const headers = { ...stored.headers, age: String(age), 'cache-status': cacheStatus }
    made = {
      age,
      ttl,
      full: { status: 200, headers, body: stored.body },
      notModified: { status: 304, headers: withoutContent(headers) },
    }
    stored.made = made
  }
  return isKnown(stored.headers, request) ? made.notModified : made.full
}

import type { HttpReply, HttpRequest } from '../link/http.ts'
import { preferredCoding, type Coding } from './accept-encoding.ts'
import type { Stage } from './edge.ts'
import { withVary } from './vary.ts'

/** Encodes bytes with a coding, the same ones always to the same. */
export type Compress = (coding: Coding, bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>

export interface CompressionOptions {
  readonly compress: Compress
  /** Shorter bodies go as they are, default 1,024. */
  readonly minBytes?: number
}

const compressible =
  /^(text\/(?!event-stream)|application\/([\w.-]+\+)?(json|xml|javascript)\b|image\/svg\+xml)/i

/**
 * The entity tag of an encoded representation (RFC 9110, 8.8.3.3): another one, since the bytes are others. `~` is in none
 * of our own tags. A weak tag is for all of them.
 */
const tagOf = (etag: string, coding: Coding): string =>
  etag.startsWith('W/') ? etag : `${etag.slice(0, -1)}~${coding}"`

const codedTag = /~(?:br|gzip)"/g

/**
 * The request with the tags of encoded representations as those of the identity one, which is all that stages and handlers
 * know: the encoded bytes follow from it, so that whoever has the one has the other.
 */
const decodedTags = (request: HttpRequest): HttpRequest => {
  const decoded = (name: string) =>
    (name === 'if-none-match' || name === 'if-match') && request.header(name)?.includes('~')
  if (!decoded('if-none-match') && !decoded('if-match')) return request
  return {
    method: request.method,
    target: request.target,
    remoteAddress: request.remoteAddress,
    header: (name) =>
      decoded(name) ? request.header(name)?.replaceAll(codedTag, '"') : request.header(name),
    get signal() {
      return request.signal
    },
    body: () => request.body(),
  }
}

/** A 304 bears the tag that the client has named (RFC 9110, 15.4.5): that of the representation which it may go on using. */
const notModified = (reply: HttpReply, request: HttpRequest): HttpReply => {
  const etag = reply.headers['etag']
  const headers = withVary(reply.headers, 'accept-encoding')
  const known = request.header('if-none-match')?.split(',') ?? []
  const named = known
    .map((one) => one.trim().replace(/^W\//, ''))
    .find((one) => one.replace(codedTag, '"') === etag)
  return { ...reply, headers: named === undefined ? headers : { ...headers, etag: named } }
}

/**
 * Compresses replies for clients that take it. Only those to GET and HEAD: tokens are handed out in replies to POST, and
 * what compresses a secret together with what a stranger chose tells its length (BREACH). No streams: an event has to leave
 * at once. A body of bytes is compressed once for as long as somebody keeps it, so that a cache does well to keep bytes.
 */
export const compression = ({ compress, minBytes = 1_024 }: CompressionOptions): Stage => {
  const encoded = new WeakMap<Uint8Array, Map<Coding, Promise<Uint8Array>>>()
  const utf8 = new TextEncoder()

  const encodedOnce = (body: string | Uint8Array, coding: Coding): Promise<Uint8Array> => {
    if (typeof body === 'string') return Promise.resolve(compress(coding, utf8.encode(body)))
    const codings = encoded.get(body) ?? new Map<Coding, Promise<Uint8Array>>()
    encoded.set(body, codings)
    const known = codings.get(coding)
    if (known !== undefined) return known
    const made = Promise.resolve(compress(coding, body))
    codings.set(coding, made)
    made.catch(() => codings.delete(coding))
    return made
  }

  return async (exchange, next) => {
    const { request } = exchange
    const decoded = decodedTags(request)
    const inside = decoded === request ? exchange : { ...exchange, request: decoded }
    if (request.method !== 'GET' && request.method !== 'HEAD') return next(inside)
    const reply = await next(inside)
    if (reply.status === 304) return notModified(reply, request)
    const { body, headers } = reply
    const type = headers['content-type']
    if (typeof type !== 'string' || !compressible.test(type)) return reply
    if (headers['content-encoding'] !== undefined) return reply
    if (/no-transform/i.test(String(headers['cache-control'] ?? ''))) return reply
    if (body === undefined || (typeof body === 'object' && !(body instanceof Uint8Array)))
      return reply
    const varied = withVary(headers, 'accept-encoding')
    if (body.length < minBytes) return { status: reply.status, headers: varied, body }
    const coding = preferredCoding(request.header('accept-encoding'))
    if (coding === 'identity') return { ...reply, headers: varied }
    const bytes = await encodedOnce(body, coding)
    const etag = headers['etag']
    return {
      ...reply,
      headers: {
        ...varied,
        'content-encoding': coding,
        ...(typeof etag === 'string' ? { etag: tagOf(etag, coding) } : {}),
      },
      body: bytes,
    }
  }
}

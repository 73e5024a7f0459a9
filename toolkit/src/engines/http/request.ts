import type { IncomingMessage } from 'node:http'
import { failure } from '../../base/failure.ts'
import { HttpRefusal } from '../../link/http.ts'
import type { HttpLimits, HttpRequest } from '../../link/http.ts'

/**
 * Header fields of one request. Bun's parser takes about as many; a client that needs more is not
 * one.
 */
const maxFields = 128

const nothing = new Uint8Array(0)

const why: Readonly<Record<number, string>> = {
  400: 'the body breaks the framing of HTTP, or ended too early',
  408: 'the body was not complete in time',
  413: 'the body is too large',
}

/**
 * One request as the port wants it, over node:http's message. Its body is gathered as it arrives.
 */
export class IncomingRequest implements HttpRequest {
  readonly method: string
  readonly target: string
  readonly remoteAddress: string
  readonly #message: IncomingMessage
  readonly #fields: ReadonlyMap<string, string>
  readonly #maxBodyBytes: number
  readonly #invite: (() => void) | undefined
  #chunks: Uint8Array[] = []
  #size = 0
  #failed: HttpRefusal | undefined
  #body: Promise<Uint8Array> | undefined
  #settle: { resolve(body: Uint8Array): void; reject(refusal: HttpRefusal): void } | undefined
  #whole: boolean
  #left = false
  #controller: AbortController | undefined

  /**
   * `invite` sends `100 Continue`; it is there when the client waits for that before it sends the
   * body.
   */
  constructor(
    message: IncomingMessage,
    fields: ReadonlyMap<string, string>,
    remoteAddress: string,
    maxBodyBytes: number,
    invite?: () => void,
  ) {
    this.method = message.method ?? ''
    this.target = originForm(message.url ?? '')
    this.remoteAddress = remoteAddress
    this.#message = message
    this.#fields = fields
    this.#maxBodyBytes = maxBodyBytes
    this.#invite = invite
    this.#whole =
      !fields.has('transfer-encoding') && Number(fields.get('content-length') ?? 0) === 0
    if (!this.#whole) this.#gather()
  }

  header(name: string): string | undefined {
    return this.#fields.get(name)
  }

  /** Made when it is first asked for: most requests are answered before anyone could leave. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#left) this.#abort(this.#controller)
    return this.#controller.signal
  }

  body(): Promise<Uint8Array> {
    this.#body ??= new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      if (this.#failed !== undefined) reject(this.#failed)
      else if (this.#whole) resolve(this.#joined())
      else this.#invite?.()
    })
    return this.#body
  }

  /** The body is still being received, and nothing has gone wrong with it yet. */
  get receiving(): boolean {
    return !this.#whole && this.#failed === undefined
  }

  /**
   * The next request cannot be found on this connection, or only after a body of unknown length.
   */
  get endsConnection(): boolean {
    if (this.#whole) return false
    const waiting = this.#invite !== undefined && this.#body === undefined
    return this.#failed !== undefined || waiting || this.#fields.has('transfer-encoding')
  }

  /** No more of the body is taken; whoever asks for it, or has asked, gets the refusal. */
  failBody(status: number): void {
    if (!this.receiving) return
    this.#failed = new HttpRefusal(status, why[status] ?? 'the body cannot be read')
    this.#chunks = []
    this.#settle?.reject(this.#failed)
  }

  /** Nobody asks for the body any more. */
  forget(): void {
    if (this.#body === undefined) this.failBody(400)
  }

  /** The client went away before the reply was complete. */
  leave(): void {
    this.#left = true
    this.failBody(400)
    if (this.#controller !== undefined) this.#abort(this.#controller)
  }

  #abort(controller: AbortController): void {
    controller.abort(failure('cancelled', 'the client closed the connection'))
  }

  #gather(): void {
    this.#message.on('data', (chunk: Uint8Array) => {
      if (this.#failed !== undefined) return
      this.#size += chunk.length
      if (this.#size > this.#maxBodyBytes) this.failBody(413)
      else this.#chunks.push(chunk)
    })
    this.#message.on('end', () => {
      if (this.#failed !== undefined) return
      // node:http discards what arrives after the reply, so that a late reader would get a part.
      if (this.#size < Number(this.#fields.get('content-length') ?? 0)) return this.failBody(400)
      this.#whole = true
      this.#settle?.resolve(this.#joined())
    })
    // The message fails when the connection does.
    this.#message.on('error', () => this.failBody(400))
  }

  #joined(): Uint8Array {
    const [first = nothing, ...rest] = this.#chunks
    if (rest.length === 0) return first
    const joined = new Uint8Array(this.#size)
    let at = 0
    for (const chunk of this.#chunks) {
      joined.set(chunk, at)
      at += chunk.length
    }
    return joined
  }
}

/** RFC 9112, 3.2.2: a server accepts the absolute form too. */
const originForm = (target: string): string => {
  if (target.startsWith('/')) return target
  const rest = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/i.exec(target)?.[1]
  if (rest === undefined) return target
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Names in lower case, repeated fields joined in order. */
export const readFields = (raw: readonly string[]): ReadonlyMap<string, string> => {
  const fields = new Map<string, string>()
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase()
    const before = fields.get(name)
    fields.set(name, before === undefined ? raw[at + 1]! : `${before}, ${raw[at + 1]!}`)
  }
  return fields
}

/**
 * The status to refuse a request with before it is handled, undefined to handle it. The runtime's
 * parser has refused most broken framing by now; what it lets pass, and what a second server on the
 * way might read in another way (RFC 9112, 6.3 and 11.2), is refused here.
 */
export const refusalOf = (
  message: IncomingMessage,
  fields: ReadonlyMap<string, string>,
  limits: HttpLimits,
): number | undefined => {
  const { httpVersion, rawHeaders, url = '' } = message
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 505
  if (url.length > limits.maxTargetBytes) return 414
  if (rawHeaders.length > 2 * maxFields || sizeOf(rawHeaders) > limits.maxHeaderBytes) return 431
  const host = fields.get('host')
  if (host === undefined ? httpVersion === '1.1' : host.includes(',')) return 400
  const length = fields.get('content-length')
  const coding = fields.get('transfer-encoding')
  if (length !== undefined && (coding !== undefined || !/^\d{1,15}$/.test(length))) return 400
  if (coding !== undefined && httpVersion === '1.0') return 400
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return 501
  if (Number(length ?? 0) > limits.maxBodyBytes) return 413
  return undefined
}

/** As on the wire, with colon, blank and line end. */
const sizeOf = (rawHeaders: readonly string[]): number => {
  let bytes = 2 * rawHeaders.length
  for (const part of rawHeaders) bytes += part.length
  return bytes
}

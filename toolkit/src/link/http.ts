/** HTTP messages as plain data, the same on both runtimes. Servers live in `engines/http`. */

export interface HttpRequest {
  /** As sent, upper case for the standard methods. */
  readonly method: string
  /** Path and query as sent (origin-form; an absolute-form target is reduced to it). Never decoded. */
  readonly target: string
  /** A header by its lower-case name; repeated fields are joined with ', ' (RFC 9110, 5.3). */
  header(name: string): string | undefined
  /** The peer's address, without the port. */
  readonly remoteAddress: string
  /** Aborts when the client goes away before the reply is complete. */
  readonly signal: AbortSignal
  /**
   * The whole body, at most `maxBodyBytes`. Rejects with an HttpRefusal: 413 (too large), 408 (not complete in
   * time), 400 (broken framing). May be asked once.
   */
  body(): Promise<Uint8Array>
}

export interface HttpReply {
  readonly status: number
  /** Lower-case names. A list is sent as repeated fields. Content-Length and Date are the server's. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** Absent for no body. An async iterable is streamed with backpressure; its return() is called when the client goes away. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
  /** The connection ends after it, and what still comes of the request is thrown away. */
  readonly last?: true
}

/** A request that HTTP itself refuses, before any operation is concerned. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal'
  readonly status: number
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

export interface HttpLimits {
  /** Default 1 MiB → 413. */
  readonly maxBodyBytes: number
  /** All header fields together, default 16 KiB → 431. */
  readonly maxHeaderBytes: number
  /** The request target, default 8 KiB → 414. */
  readonly maxTargetBytes: number
  /** From the first byte of a request to the last of its body, default 10 s → 408. */
  readonly requestTimeoutMs: number
}

export const defaultHttpLimits: HttpLimits = {
  maxBodyBytes: 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxTargetBytes: 8 * 1024,
  requestTimeoutMs: 10_000,
}

export interface HttpServerOptions {
  /** A numeric address, default 127.0.0.1. */
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** Other processes of this user may listen there too; the system spreads connections over them (SO_REUSEPORT). Default false. */
  readonly shared?: boolean
  readonly limits: HttpLimits
  /** Answers a request. It never rejects; if it does all the same, the server answers `refuse(500)`. */
  handle(request: HttpRequest): Promise<HttpReply>
  /** The reply to a request that the server itself refuses (400, 408, 413, 414, 431, 500, 501, 505); the connection closes after it. */
  refuse(status: number): HttpReply
}

export interface HttpServer {
  readonly host: string
  /** The port in use, also when 0 was asked for. */
  readonly port: number
  /**
   * Takes no new connections, answers what has begun (with `connection: close`), then resolves. Where the address is shared, and clients
   * are there, it first goes on, for a second or until they are gone, and ends each connection with its reply, so that no client meets one that is being cut.
   */
  drain(): Promise<void>
  /** Ends every connection at once. */
  close(): Promise<void>
}

/** Starts a server. Rejects with `cannot-start`, naming host and port, when the address is taken or refused. */
export type ListenHttp = (options: HttpServerOptions) => Promise<HttpServer>

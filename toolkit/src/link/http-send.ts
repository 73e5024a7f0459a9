import type { Signal } from '../guard/signal.ts'

/** A request of one host to another. */
export interface HttpSending {
  /** Scheme, host and port, such as `http://10.0.0.7:7070`. */
  readonly address: string
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: Signal
}

export interface HttpAnswer {
  readonly status: number
  /** A header by its lower-case name. */
  header(name: string): string | undefined
  /** The whole body. Rejects with `unknown-outcome` when it breaks off. */
  body(): Promise<Uint8Array>
  /** The body as it comes, instead of body(). return() ends the connection. */
  stream(): AsyncIterable<Uint8Array>
}

/**
 * Sends a request, over connections that are kept. Rejects with `unavailable` (not sent) when there is no connection, and with
 * `unknown-outcome` when one breaks before the answer has begun. Engines implement it.
 */
export type SendHttp = (sending: HttpSending) => Promise<HttpAnswer>

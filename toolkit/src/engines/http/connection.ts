import type { Socket } from 'node:net'
import { rawReply } from './reply.ts'
import type { IncomingRequest } from './request.ts'
import type { HttpReply } from '../../link/http.ts'

/**
 * How long a client may go on sending after its last reply, before the connection is cut under it.
 */
const lingerMs = 2000

/** What its server tells a connection. */
export interface ConnectionOwner {
  refuse(status: number): HttpReply
  readonly draining: boolean
}

/** One client's connection: how many of its requests are unanswered, and how it ends. */
export class Connection {
  readonly remoteAddress: string
  /** The request whose body may still be arriving. */
  latest: IncomingRequest | undefined
  readonly #socket: Socket
  readonly #owner: ConnectionOwner
  #pending = 0
  #closing = false
  #lingering = false
  #refusal: Buffer | undefined

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.remoteAddress = socket.remoteAddress ?? ''
    this.#socket = socket
    this.#owner = owner
  }

  /** Requests that are not answered to the last byte. */
  get pending(): number {
    return this.#pending
  }

  /** Nothing more is taken from it. */
  get closing(): boolean {
    return this.#closing
  }

  /** All is said, the client may stop listening. */
  get lingering(): boolean {
    return this.#lingering
  }

  get idle(): boolean {
    return this.#pending === 0 && !this.#closing
  }

  begin(request: IncomingRequest): void {
    this.latest = request
    this.#pending += 1
  }

  /** The last byte of a reply is with the kernel, or will never be. */
  end(): void {
    this.#pending -= 1
    if (this.#pending > 0) return
    if (this.#refusal !== undefined || this.#owner.draining) this.linger(this.#refusal)
  }

  takeNoMore(): void {
    this.#closing = true
  }

  /** Answers what is broken, after the replies that are due before. */
  refuse(status: number, head: boolean): void {
    this.#closing = true
    const refusal = rawReply(this.#owner.refuse(status), head)
    if (this.#pending > 0) this.#refusal = refusal
    else this.linger(refusal)
  }

  /**
   * Says the last word. Closing at once while bytes arrive would reset the connection, and lose
   * that word.
   */
  linger(last?: Buffer): void {
    const socket = this.#socket
    if (!socket.writable) return
    this.#closing = true
    this.#lingering = true
    if (last === undefined) socket.end()
    else socket.end(last)
    socket.resume()
    const cut = setTimeout(() => socket.destroy(), lingerMs)
    socket.once('close', () => clearTimeout(cut))
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

import type { Complain } from './complaints.ts'

/** How many may be there at a time that have not said who they are. */
export const mostStrangers = 256

/** Connections of which nobody knows yet whose they are. When one too many comes, the one that has taken longest is let go: who belongs here is quick. */
export class Strangers<T> {
  readonly #letGo: (one: T) => void
  readonly #all = new Set<T>()

  constructor(letGo: (one: T) => void) {
    this.#letGo = letGo
  }

  add(one: T): void {
    this.#all.add(one)
    const [oldest] = this.#all
    if (oldest === undefined || this.#all.size <= mostStrangers) return
    this.#all.delete(oldest)
    this.#letGo(oldest)
  }

  /** It is known now, or gone. */
  delete(one: T): void {
    this.#all.delete(one)
  }
}

/** What engines have of a connection. */
export interface StrangeSocket {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  destroy(): unknown
  once(event: 'close', closed: () => void): unknown
}

/** Who is gone has no address any more. */
export const peerOf = ({ remoteAddress, remotePort }: StrangeSocket): string =>
  remoteAddress === undefined ? 'gone' : `${remoteAddress} ${remotePort}`

/** Sockets of strangers, by address and port: below TLS there is another socket for the same connection. */
export class StrangeSockets {
  readonly #sockets = new Map<string, StrangeSocket>()
  readonly #strangers: Strangers<string>

  constructor(complain: Complain) {
    this.#strangers = new Strangers((peer) => {
      const why = `more than ${mostStrangers} connections have not said anything`
      complain('a connection was ended', peer, why)
      this.#sockets.get(peer)?.destroy()
    })
  }

  add(socket: StrangeSocket): void {
    const peer = peerOf(socket)
    this.#sockets.set(peer, socket)
    this.#strangers.add(peer)
    socket.once('close', () => this.delete(socket, peer))
  }

  /** It is known now. */
  delete(socket: StrangeSocket, peer = peerOf(socket)): void {
    this.#sockets.delete(peer)
    this.#strangers.delete(peer)
  }
}

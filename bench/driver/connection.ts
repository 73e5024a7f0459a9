import { connect, type Socket } from 'node:net'

/*
 * One keep-alive connection that speaks as much HTTP/1.1 as a load driver needs: requests are bytes made elsewhere, one is
 * under way at a time, of a reply only its status and its length are looked at. A general client costs more of the cores that
 * it shares with the servers than some of the servers do.
 */

export interface Reply {
  readonly status: number
  readonly body: Buffer
}

const headEnd = Buffer.from('\r\n\r\n')
const lastChunk = Buffer.from('\r\n0\r\n\r\n')
const lengthField = /\r\ncontent-length: *(\d+)/i
const chunkedField = /\r\ntransfer-encoding: *chunked/i

/** What a whole reply takes of the bytes that came; undefined while some are missing. */
const readReply = (bytes: Buffer): Reply | undefined => {
  const end = bytes.indexOf(headEnd)
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const status = Number(head.slice(9, 12))
  const begin = end + headEnd.length
  const length = lengthField.exec(head)?.[1]
  if (length !== undefined) {
    const all = begin + Number(length)
    return bytes.length < all ? undefined : { status, body: bytes.subarray(begin, all) }
  }
  if (!chunkedField.test(head)) return { status, body: bytes.subarray(begin, begin) }
  // One reply at a time is under way, so that the last chunk is where the bytes end.
  const ended = bytes.subarray(begin - 2).indexOf(lastChunk)
  return ended < 0 ? undefined : { status, body: bytes.subarray(begin) }
}

export class Connection {
  readonly #socket: Socket
  #rest: Buffer | undefined
  #done: ((reply: Reply) => void) | undefined
  #failed: ((error: Error) => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.on('error', (error) => this.#failed?.(error))
    socket.on('close', () => this.#failed?.(new Error('the server closed the connection')))
  }

  static open(host: string, port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.removeAllListeners('error')
        resolve(new Connection(socket))
      })
    })
  }

  /** Sends one request, given as bytes, and calls one of both when it is answered. */
  send(request: string, done: (reply: Reply) => void, failed: (error: Error) => void): void {
    this.#done = done
    this.#failed = failed
    this.#socket.write(request)
  }

  close(): void {
    this.#failed = undefined
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    const all = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes])
    const reply = readReply(all)
    this.#rest = reply === undefined ? all : undefined
    if (reply !== undefined) this.#done?.(reply)
  }
}

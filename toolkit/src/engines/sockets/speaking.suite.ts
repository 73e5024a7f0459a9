import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { frame, FrameReader, FrameWriter, maxPayloadBytes } from '../../link/wire/frames.ts'
import { Handshake, type Side } from '../../link/wire/handshake.ts'
import { eventually } from '../../testing/eventually.ts'

/* Peers over real sockets that say what a test has them say. */

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const secret = bytesOf('what the fleet knows')

export interface Heard {
  readonly type: number
  readonly stream: number
  readonly text: string
}

export const framesOf = (
  ...frames: readonly (readonly [
    type: number,
    stream?: number | undefined,
    payload?: Uint8Array | undefined,
  ])[]
): Uint8Array => {
  const writer = new FrameWriter()
  for (const [type, stream = 0, payload] of frames) writer.frame(type, stream, payload)
  return writer.take()
}

/** One side of a connection, by hand. */
export class Speaker {
  readonly heard: Heard[] = []
  readonly socket: Socket
  readonly handshake: Handshake
  over = false
  /** Bytes that came. */
  bytes = 0
  readonly #reader = new FrameReader(maxPayloadBytes)

  constructor(socket: Socket, side: Side, known = secret) {
    this.socket = socket
    this.handshake = new Handshake(side, known, crypto.getRandomValues(new Uint8Array(32)))
    socket.on('error', () => undefined)
    socket.on('close', () => (this.over = true))
    socket.on('data', (bytes: Uint8Array) => {
      this.bytes += bytes.length
      this.#reader.read(bytes, (type, stream, payload) => {
        this.heard.push({ type, stream, text: new TextDecoder().decode(payload) })
        if (type === frame.hello) this.#greeted(payload)
        return true
      })
    })
  }

  #greeted(hello: Uint8Array): void {
    try {
      this.handshake.heard(hello)
    } catch {
      // Whether the other side finds it wrong as well is what a test looks at.
    }
  }

  say(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  frame(type: number, stream?: number, payload?: Uint8Array): void {
    this.say(framesOf([type, stream, payload]))
  }

  hears(type: number, stream?: number): Promise<Heard> {
    const found = () =>
      this.heard.find((one) => one.type === type && (stream === undefined || one.stream === stream))
    return eventually(found, `a frame of the type ${type}`)
  }

  ended(): Promise<unknown> {
    return eventually(() => this.over, 'the end of a connection')
  }

  get refusal(): string {
    return this.heard.find(({ type }) => type === frame.refused)?.text ?? ''
  }
}

/** A client of a port, not yet greeted. */
export const speakTo = async (port: number, known?: Uint8Array): Promise<Speaker> => {
  const socket = connect({ port, host: '127.0.0.1' })
  const speaker = new Speaker(socket, 'client', known)
  await eventually(() => !socket.connecting || speaker.over, 'a connection')
  return speaker
}

/** A client that has shaken hands. */
export const greet = async (port: number): Promise<Speaker> => {
  const speaker = await speakTo(port)
  speaker.frame(frame.hello, 0, speaker.handshake.hello())
  await speaker.hears(frame.hello)
  speaker.frame(frame.proof, 0, speaker.handshake.proof())
  return speaker
}

/** A server that does with each connection what a test says. */
export const serverThat = async (does: (speaker: Speaker) => void, known?: Uint8Array) => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    does(new Speaker(socket, 'server', known))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `wire://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Shakes hands as a server, then goes on. */
export const welcoming =
  (then: (speaker: Speaker) => Promise<void> | void) =>
  (speaker: Speaker): void => {
    void (async () => {
      await speaker.hears(frame.hello)
      speaker.frame(frame.hello, 0, speaker.handshake.hello())
      await speaker.hears(frame.proof)
      await then(speaker)
    })().catch(() => undefined)
  }

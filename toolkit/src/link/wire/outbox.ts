import { FrameWriter, frame, numberPayload, unfinished } from './frames.ts'
import { costOf, type Outgoing, type Stream } from './stream.ts'

/** The longest piece of a message; other streams' come between. */
const pieceBytes = 32 * 1024
/** As much is made ready before somebody takes it. */
const readyBytes = 64 * 1024
const smallestPiece = 1024

const begins = (message: Outgoing | undefined): boolean =>
  message?.type === frame.call && message.at === 0

const encoder = new TextEncoder()
const none = new Uint8Array(0)

/** What a connection sends: small messages at once, large ones piece by piece, the streams in turn. */
export class Outbox {
  readonly #writer = new FrameWriter()
  readonly #wake: () => void
  /** Streams that have something to send, and may, in the order of their turns; with how many bytes. */
  readonly #turns = new Map<Stream, number>()
  #due = 0
  #taken = 0
  /** Calls that wait with their first piece: later ones wait behind them, as the other side takes streams in the order of their numbers. */
  #unbegun = 0

  constructor(wake: () => void) {
    this.#wake = wake
  }

  /** Bytes that may be sent, and that nobody takes. What the other side has to ask for first is not among them. */
  get backlog(): number {
    return this.#due + this.#writer.size
  }

  /** Bytes that the next `take` answers, or some of them. */
  get ready(): number {
    return this.#writer.size
  }

  /** Sends a frame before all messages that wait. */
  control(type: number, stream = 0, payload?: Uint8Array): void {
    this.#writer.frame(type, stream, payload)
    this.#wake()
  }

  /** Has somebody take, though nothing is there yet. */
  nudge(): void {
    this.#wake()
  }

  grant(stream: Stream): void {
    const more = stream.grant()
    if (more > 0) this.control(frame.credit, stream.id, numberPayload(more))
  }

  send(stream: Stream, type: number, content: string | Uint8Array = none): void {
    this.#wake()
    const first = type !== frame.call || this.#unbegun === 0
    const free = first && this.#writer.size < readyBytes && stream.outgoing.length === 0
    const most = typeof content === 'string' ? content.length * 3 : content.length
    if (free && most <= pieceBytes && costOf(most) <= stream.credit) {
      if (typeof content === 'string')
        stream.credit -= costOf(this.#writer.text(type, stream.id, content))
      else {
        this.#writer.frame(type, stream.id, content)
        stream.credit -= costOf(most)
      }
      stream.endsAt = this.#taken + this.#writer.size
      return
    }
    const bytes = typeof content === 'string' ? encoder.encode(content) : content
    stream.outgoing.push({ type, bytes, at: 0 })
    if (type === frame.call) this.#unbegun += 1
    stream.endsAt = undefined
    this.#queue(stream)
  }

  /** The other side may be sent more. */
  credit(stream: Stream, more: number): void {
    stream.credit += more
    this.#queue(stream)
    if (this.#turns.size > 0) this.#wake()
  }

  /** Forgets what a stream would have sent. */
  drop(stream: Stream): void {
    if (stream.outgoing.length > 0) {
      this.#passOver(stream)
      if (!this.hasBegun(stream)) this.#unbegun -= 1
      stream.outgoing.length = 0
    }
    stream.sent?.()
  }

  /** Whether the other side hears of a stream that this side opened. */
  hasBegun({ outgoing }: Stream): boolean {
    return !begins(outgoing[0])
  }

  /** Whether a stream's latest message was taken whole. */
  wasTaken({ endsAt }: Stream): boolean {
    return endsAt !== undefined && endsAt <= this.#taken
  }

  take(): Uint8Array | undefined {
    while (this.#writer.size < readyBytes) {
      const [stream] = this.#turns.keys()
      if (stream === undefined) break
      this.#passOver(stream)
      this.#writePiece(stream)
    }
    if (this.#turns.size > 0) this.#wake()
    if (this.#writer.size === 0) return undefined
    const taken = this.#writer.take()
    this.#taken += taken.length
    return taken
  }

  #queue(stream: Stream): void {
    const [message] = stream.outgoing
    if (message === undefined || this.#turns.has(stream)) return
    if (this.#pieceOf(stream, message) === undefined) return
    const due = Math.min(stream.credit, message.bytes.length - message.at)
    this.#turns.set(stream, due)
    this.#due += due
  }

  #passOver(stream: Stream): void {
    this.#due -= this.#turns.get(stream) ?? 0
    this.#turns.delete(stream)
  }

  /** How long the next piece may be; undefined as long as it would be too small. */
  #pieceOf({ credit }: Stream, { bytes, at }: Outgoing): number | undefined {
    const left = bytes.length - at
    const may = credit - costOf(0)
    return may >= Math.min(left, smallestPiece) ? Math.min(left, may, pieceBytes) : undefined
  }

  #writePiece(stream: Stream): void {
    const [message] = stream.outgoing
    const length = message && this.#pieceOf(stream, message)
    if (message === undefined || length === undefined) return
    if (begins(message)) this.#unbegun -= 1
    const { bytes, at } = message
    const type = at === 0 ? message.type : frame.rest
    message.at += length
    const goesOn = message.at < bytes.length
    const payload = bytes.subarray(at, message.at)
    this.#writer.frame(goesOn ? type + unfinished : type, stream.id, payload)
    stream.credit -= costOf(length)
    if (!goesOn) stream.outgoing.shift()
    if (stream.outgoing.length > 0) return this.#queue(stream)
    stream.endsAt = this.#taken + this.#writer.size
    stream.sent?.()
  }
}

import { frame, misspoken, unfinished } from './frames.ts'

/** What a peer may send on a stream before the other side has taken some of it; a frame counts with some bytes more, for what it takes to keep it. */
export const windowBytes = 128 * 1024
const frameCost = 64
const none = new Uint8Array(0)
export const costOf = (payloadBytes: number): number => frameCost + payloadBytes

/** A message that waits for its turn, or is sent in part. */
export interface Outgoing {
  readonly type: number
  readonly bytes: Uint8Array
  at: number
}

/** One call and its reply, as one side of a connection sees them. */
export abstract class Stream {
  readonly id: number
  /** What may still be sent. */
  credit = windowBytes
  readonly outgoing: Outgoing[] = []
  /** Where in all that the connection sent its latest message ends; undefined while some of it waits. */
  endsAt: number | undefined
  /** Called when nothing waits any more. */
  sent: (() => void) | undefined
  /** What arrived and nobody has read, as it counts against the window. */
  held = 0
  #window = windowBytes
  #ungranted = 0
  #parts: { readonly type: number; bytes: Uint8Array; size: number } | undefined
  #tooLarge = false

  constructor(id: number) {
    this.id = id
  }

  /** A whole message; the payload is valid during the call. */
  abstract received(type: number, payload: Uint8Array): void
  /** The other side does not wait any more. */
  abstract cancelled(): void
  /** A message is larger than may be. What else comes of the stream is passed over. */
  abstract overfull(maxBytes: number): void

  /** Bytes that are kept for a message of which more is to come. */
  get partial(): number {
    return this.#parts?.bytes.length ?? 0
  }

  /** Takes in a frame. Throws for one that does not fit what came before. */
  take(type: number, payload: Uint8Array, maxBytes: number): void {
    const cost = costOf(payload.length)
    this.#window -= cost
    this.#ungranted += cost
    if (this.#window < 0) throw misspoken('more was sent than may be')
    if (this.#tooLarge) return
    const goesOn = type >= unfinished
    const kind = goesOn ? type - unfinished : type
    if ((kind === frame.rest) !== (this.#parts !== undefined))
      throw misspoken('the pieces of a message are out of order')
    if (!goesOn && this.#parts === undefined) return this.received(kind, payload)
    const parts = (this.#parts ??= { type: kind, bytes: none, size: 0 })
    const size = parts.size + payload.length
    if (size > maxBytes) {
      this.#parts = undefined
      this.#tooLarge = true
      return this.overfull(maxBytes)
    }
    if (size > parts.bytes.length) {
      const larger = new Uint8Array(Math.max(size, Math.min(maxBytes, parts.bytes.length * 2)))
      larger.set(parts.bytes.subarray(0, parts.size))
      parts.bytes = larger
    }
    parts.bytes.set(payload, parts.size)
    parts.size = size
    if (goesOn) return
    this.#parts = undefined
    this.received(parts.type, parts.bytes.subarray(0, size))
  }

  /** How much more the other side may send; 0 as long as it is too little to tell. */
  grant(): number {
    const more = this.#ungranted - this.held
    if (more < windowBytes / 4) return 0
    this.#ungranted -= more
    this.#window += more
    return more
  }
}

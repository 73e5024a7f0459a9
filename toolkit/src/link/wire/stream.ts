import { frame, misspoken, unfinished } from './frames.ts'

/** What a peer may send on a stream before the other side has taken some of it; a frame counts with some bytes more, for what it takes to keep it. */
export const windowBytes = 128 * 1024
const frameCost = 64
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
  #parts: { readonly type: number; readonly pieces: Uint8Array[]; bytes: number } | undefined

  constructor(id: number) {
    this.id = id
  }

  /** A whole message; the payload is valid during the call. */
  abstract received(type: number, payload: Uint8Array): void
  /** The other side does not wait any more. */
  abstract cancelled(): void
  /** A message is larger than may be. The stream is over. */
  abstract overfull(maxBytes: number): void

  /** Bytes of a message of which more is to come. */
  get partial(): number {
    return this.#parts?.bytes ?? 0
  }

  /** Takes in a frame. Throws for one that does not fit what came before. */
  take(type: number, payload: Uint8Array, maxBytes: number): void {
    const cost = costOf(payload.length)
    this.#window -= cost
    this.#ungranted += cost
    if (this.#window < 0) throw misspoken('more was sent than may be')
    const goesOn = type >= unfinished
    const kind = goesOn ? type - unfinished : type
    if ((kind === frame.rest) !== (this.#parts !== undefined))
      throw misspoken('the pieces of a message are out of order')
    if (!goesOn && this.#parts === undefined) return this.received(kind, payload)
    const parts = (this.#parts ??= { type: kind, pieces: [], bytes: 0 })
    parts.pieces.push(payload.slice())
    parts.bytes += payload.length
    if (parts.bytes > maxBytes) {
      this.#parts = undefined
      return this.overfull(maxBytes)
    }
    if (goesOn) return
    this.#parts = undefined
    const whole = new Uint8Array(parts.bytes)
    let at = 0
    for (const piece of parts.pieces) {
      whole.set(piece, at)
      at += piece.length
    }
    this.received(parts.type, whole)
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

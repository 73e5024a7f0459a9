import { failure, type ServalError } from '../../base/failure.ts'

/*
 * A frame: the payload's length (32 bits), a type (8), the stream that it belongs to (32; 0 for the connection itself), the payload.
 * Numbers are in network order. The type's highest bit says that the message goes on, in frames of the type `rest`.
 */

export const frame = {
  hello: 1,
  proof: 2,
  refused: 3,
  ping: 4,
  pong: 5,
  leaving: 6,
  identity: 7,
  credit: 8,
  cancel: 9,
  call: 10,
  value: 11,
  nothing: 12,
  remembered: 13,
  feed: 14,
  item: 15,
  end: 16,
  failed: 17,
  rest: 18,
} as const

export const unfinished = 0x80
export const headBytes = 9
export const maxPayloadBytes = 64 * 1024
export const maxStream = 2 ** 32 - 1

/** What a peer did that links do not do. */
export const misspoken = (detail: string): ServalError =>
  failure('invalid-input', `the link: ${detail}`)

/** Told of each frame; the payload is valid until the next bytes are. False ends the reading. */
export type TakeFrame = (type: number, stream: number, payload: Uint8Array) => boolean

/** Finds the frames in bytes that come in pieces of any size. Throws for a frame that is longer than `limit`, before it takes memory for it. */
export class FrameReader {
  limit: number
  readonly #head = new Uint8Array(headBytes)
  readonly #headView = new DataView(this.#head.buffer)
  #headAt = 0
  #body: Uint8Array = none
  #bodyAt = 0

  constructor(limit: number) {
    this.limit = limit
  }

  read(bytes: Uint8Array, take: TakeFrame): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    while (at < bytes.length) {
      if (this.#headAt === 0 && bytes.length - at >= headBytes) {
        const from = at + headBytes
        const end = from + this.#lengthAt(view, at)
        if (end <= bytes.length) {
          const payload = bytes.subarray(from, end)
          if (!take(view.getUint8(at + 4), view.getUint32(at + 5), payload)) return
          at = end
          continue
        }
      }
      at = this.#keep(bytes, at)
      if (this.#headAt < headBytes || this.#bodyAt < this.#body.length) continue
      const body = this.#body
      this.#headAt = this.#bodyAt = 0
      this.#body = none
      if (!take(this.#headView.getUint8(4), this.#headView.getUint32(5), body)) return
    }
  }

  #lengthAt(view: DataView, at: number): number {
    const length = view.getUint32(at)
    if (length > this.limit)
      throw misspoken(`a frame has at most ${this.limit} bytes, not ${length}`)
    return length
  }

  /** Keeps what there is of a frame that ends in later bytes; answers how far it read. */
  #keep(bytes: Uint8Array, at: number): number {
    if (this.#headAt < headBytes) {
      const part = bytes.subarray(at, at + headBytes - this.#headAt)
      this.#head.set(part, this.#headAt)
      this.#headAt += part.length
      if (this.#headAt === headBytes) this.#body = new Uint8Array(this.#lengthAt(this.#headView, 0))
      return at + part.length
    }
    const part = bytes.subarray(at, at + this.#body.length - this.#bodyAt)
    this.#body.set(part, this.#bodyAt)
    this.#bodyAt += part.length
    return at + part.length
  }
}

const none = new Uint8Array(0)
const noView = new DataView(none.buffer)
const usualBytes = 32 * 1024
const encoder = new TextEncoder()

/** Collects frames until somebody takes them. */
export class FrameWriter {
  #bytes: Uint8Array = none
  #view = noView
  /** Where what was not taken begins, and where it ends. */
  #from = 0
  #to = 0

  get size(): number {
    return this.#to - this.#from
  }

  frame(type: number, stream: number, payload: Uint8Array = none): void {
    this.#reserve(headBytes + payload.length)
    this.#bytes.set(payload, this.#to + headBytes)
    this.#head(type, stream, payload.length)
  }

  /** A frame of a text, which has at most a third of a payload's bytes; answers its bytes. */
  text(type: number, stream: number, text: string): number {
    this.#reserve(headBytes + text.length * 3)
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(this.#to + headBytes))
    this.#head(type, stream, written)
    return written
  }

  /** What was written since, to keep. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(this.#from, this.#to)
    this.#from = this.#to
    // A connection that is silent again keeps no more than the usual.
    if (this.#bytes.length > usualBytes) {
      this.#bytes = none
      this.#view = noView
      this.#from = this.#to = 0
    }
    return taken
  }

  #head(type: number, stream: number, length: number): void {
    const view = this.#view
    view.setUint32(this.#to, length)
    view.setUint8(this.#to + 4, type)
    view.setUint32(this.#to + 5, stream)
    this.#to += headBytes + length
  }

  /** What was taken is never written to again. */
  #reserve(more: number): void {
    if (this.#to + more <= this.#bytes.length) return
    const { size } = this
    const larger = new Uint8Array(Math.max(usualBytes, (size + more) * 2))
    larger.set(this.#bytes.subarray(this.#from, this.#to))
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
    this.#from = 0
    this.#to = size
  }
}

/** A payload that is a number of 32 bits. */
export const numberPayload = (number: number): Uint8Array => {
  const payload = new Uint8Array(4)
  new DataView(payload.buffer).setUint32(0, number)
  return payload
}

export const numberIn = (payload: Uint8Array, what: string): number => {
  if (payload.length < 4) throw misspoken(`${what} has a number of 4 bytes`)
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0)
}

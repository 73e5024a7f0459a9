export interface Answers {
  receive(chunk: Buffer): void
  /** The whole messages of an answer that was cut off. */
  rest(): Buffer
}

const none = Buffer.alloc(0)
const readyForQuery = 'Z'.charCodeAt(0)

/** Cuts what a connection receives into the answers to its series. */
export const answers = (each: (answer: Buffer) => void): Answers => {
  /** What came of an answer before its last chunk, in a buffer with room for more. */
  let held: Buffer = none
  let length = 0
  /** Where the next message begins. */
  let at = 0

  const hold = (chunk: Buffer): Buffer => {
    if (length + chunk.length > held.length) {
      const larger = Buffer.allocUnsafe(2 * (length + chunk.length))
      held.copy(larger, 0, 0, length)
      held = larger
    }
    chunk.copy(held, length)
    length += chunk.length
    return held.subarray(0, length)
  }

  return {
    receive: (chunk) => {
      const bytes = length === 0 ? chunk : hold(chunk)
      let start = 0
      while (at + 5 <= bytes.length) {
        const end = at + 1 + bytes.readInt32BE(at + 1)
        if (end > bytes.length) break
        const last = bytes[at] === readyForQuery
        at = end
        if (!last) continue
        const answer = bytes.subarray(start, end)
        start = end
        each(answer)
      }
      at -= start
      if (start === bytes.length) {
        held = none
        length = 0
      } else if (start > 0 || length === 0) {
        held = none
        length = 0
        hold(bytes.subarray(start))
      }
    },
    rest: () => held.subarray(0, at),
  }
}

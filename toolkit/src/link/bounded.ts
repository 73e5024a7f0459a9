import { failure } from '../base/failure.ts'

const tooLong = (maxBytes: number) =>
  failure('unavailable', `the answer has more than ${maxBytes} bytes`)

/** A text that comes in pieces; undefined when it has more bytes. */
export const textWithin = async (
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<string | undefined> => {
  const utf8 = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.length
    if (bytes > maxBytes) return undefined
    text += utf8.decode(piece, { stream: true })
  }
  return text + utf8.decode()
}

/** The same; rejects when it has more bytes. */
export const textOf = async (
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<string> => {
  const text = await textWithin(pieces, maxBytes)
  if (text === undefined) throw tooLong(maxBytes)
  return text
}

/** Lines as they come, each of at most so many bytes; the last one without an end is left out. */
export async function* linesOf(
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncIterable<string> {
  const utf8 = new TextDecoder()
  let rest = ''
  for await (const piece of pieces) {
    const lines = (rest + utf8.decode(piece, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > maxBytes) throw tooLong(maxBytes)
    yield* lines
  }
}

/*
 * What lender and borrower say to each other: the length of a message in four bytes, and the message as JSON. Values that JSON has no form for are
 * objects with one key that begins with one `$`; a key of ours that begins with it gets another.
 */

/** More than any step or page of a log needs; what is larger is refused by whoever would send it. */
const maxBytes = 64 * 1024 * 1024

const escaped = (value: object): object =>
  Object.keys(value).some((key) => key.startsWith('$'))
    ? Object.fromEntries(
        Object.entries(value).map(([key, inner]: [string, unknown]) => [
          key.startsWith('$') ? `$${key}` : key,
          inner,
        ]),
      )
    : value

function replace(this: Readonly<Record<string, unknown>>, key: string): unknown {
  // What `toJSON` made of it is not asked for.
  const value = this[key]
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return escaped(value)
}

const revive = (_key: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  if ('$bytes' in value) return new Uint8Array(Buffer.from(String(value.$bytes), 'base64'))
  if ('$number' in value) return Number(value.$number)
  return Object.keys(value).some((name) => name.startsWith('$'))
    ? Object.fromEntries(
        Object.entries(value).map(([name, inner]: [string, unknown]) => [
          name.replace(/^\$/, ''),
          inner,
        ]),
      )
    : value
}

/** Undefined for a message that is too large. */
export const frame = (message: object): Buffer | undefined => {
  const text = JSON.stringify(message, replace)
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) return undefined
  const made = Buffer.allocUnsafe(bytes + 4)
  made.writeUInt32BE(bytes)
  made.write(text, 4)
  return made
}

/** Takes the bytes of a connection as they come. It throws on what is no message. */
export const frameReader = (told: (message: unknown) => void): ((chunk: Buffer) => void) => {
  let chunks: Buffer[] = []
  let held = 0
  let wanted = 4
  return (chunk) => {
    chunks.push(chunk)
    held += chunk.length
    if (held < wanted) return
    const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks)
    let at = 0
    wanted = 4
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at)
      if (length > maxBytes) throw new Error(`a message of ${length} bytes`)
      if (bytes.length - at < length + 4) {
        wanted = length + 4
        break
      }
      told(JSON.parse(bytes.toString('utf8', at + 4, at + 4 + length), revive))
      at += length + 4
    }
    chunks = at === bytes.length ? [] : [bytes.subarray(at)]
    held = bytes.length - at
  }
}

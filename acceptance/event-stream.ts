import { connect, type Socket } from 'node:net'
import { requestBytes, type RequestParts } from './raw-http.ts'

export interface ServerEvent {
  readonly id: string | undefined
  readonly data: unknown
}

/** A stream of events as it comes, read by hand. */
export interface Following {
  readonly status: () => number
  readonly head: () => string
  readonly events: () => readonly ServerEvent[]
  readonly comments: () => number
  /** Resolves when the server has ended the stream, or the patience is at its end. */
  readonly ended: Promise<void>
  close(): void
}

const patienceMs = 20_000

/** The body of a reply, in chunks (RFC 9112, 7.1) or as it is. */
const bodyOf = (bytes: Buffer): { readonly head: string; readonly body: string } => {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return { head: '', body: '' }
  const head = bytes.toString('latin1', 0, end)
  const rest = bytes.subarray(end + 4)
  if (!/transfer-encoding: chunked/i.test(head)) return { head, body: rest.toString() }
  const parts: Buffer[] = []
  for (let at = 0; ;) {
    const line = rest.indexOf('\r\n', at)
    if (line < 0) break
    const size = Number.parseInt(rest.toString('latin1', at, line), 16)
    if (!(size > 0) || rest.length < line + 2 + size) break
    parts.push(rest.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
  return { head, body: Buffer.concat(parts).toString() }
}

const eventsOf = (body: string): ServerEvent[] =>
  body
    .split('\n\n')
    .slice(0, -1)
    .flatMap((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
      const data = field('data')
      if (data === undefined) return []
      const item: unknown = JSON.parse(data)
      return [{ id: field('id'), data: item }]
    })

export const follow = (address: string, parts: RequestParts): Following => {
  const { hostname, port } = new URL(address)
  let got = Buffer.alloc(0)
  const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true })
  socket.on('connect', () => socket.write(requestBytes(address, parts)))
  socket.on('data', (chunk: Buffer) => {
    got = Buffer.concat([got, chunk])
    // The last chunk of a body is empty.
    if (got.subarray(-5).toString('latin1') === '0\r\n\r\n') socket.end()
  })
  socket.on('error', () => undefined)
  const timer = setTimeout(() => socket.destroy(), patienceMs)
  const ended = new Promise<void>((resolve) =>
    socket.once('close', () => {
      clearTimeout(timer)
      resolve()
    }),
  )
  return {
    status: () => Number(/^HTTP\/1\.1 (\d{3})/.exec(bodyOf(got).head)?.[1]),
    head: () => bodyOf(got).head,
    events: () => eventsOf(bodyOf(got).body),
    comments: () =>
      bodyOf(got)
        .body.split('\n\n')
        .filter((block) => block.startsWith(':')).length,
    ended,
    close: () => socket.destroy(),
  }
}

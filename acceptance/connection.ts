import { connect, type Socket } from 'node:net'
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'
import { requestBytes, type Reply, type RequestParts } from './raw-http.ts'

/*
 * HTTP/1.1 by hand over connections that are kept: for many requests, each byte of which is as it was made. One request at a
 * time on a connection.
 */

const patienceMs = 60_000

const unpacked = (body: Buffer, coding: string | undefined): Buffer => {
  if (coding === 'gzip') return gunzipSync(body)
  if (coding === 'br') return brotliDecompressSync(body)
  if (coding === 'deflate') return inflateSync(body)
  if (coding === 'zstd') return zstdDecompressSync(body)
  return body
}

/** The chunks of a body (RFC 9112, 7.1), and where they end; undefined while there are more to come. */
const chunked = (bytes: Buffer): Buffer | undefined => {
  const parts: Buffer[] = []
  for (let at = 0; ;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (bytes.length < line + 2 + size + 2) return undefined
    if (size === 0) return Buffer.concat(parts)
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}

interface Head {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly end: number
}

const headOf = (bytes: Buffer): Head | undefined => {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]), headers, end: end + 4 }
}

/** The reply when it is whole; of a stream of events what has come with its head. */
const replyOf = (bytes: Buffer, method: string, closed: boolean): Reply | undefined => {
  const head = headOf(bytes)
  if (head === undefined) return undefined
  const { status, headers } = head
  // An interim reply is followed by the real one.
  if (status >= 100 && status < 200) return replyOf(bytes.subarray(head.end), method, closed)
  const rest = bytes.subarray(head.end)
  const length = Number(headers['content-length'] ?? Number.NaN)
  const whole = (): Buffer | undefined => {
    if (method === 'HEAD' || status === 204 || status === 304) return Buffer.alloc(0)
    if (headers['content-type'] === 'text/event-stream') return rest
    if (headers['transfer-encoding'] === 'chunked') return chunked(rest)
    if (Number.isNaN(length)) return closed ? rest : undefined
    return rest.length < length ? undefined : rest.subarray(0, length)
  }
  const packed = whole()
  if (packed === undefined) return undefined
  const body = packed.length === 0 ? packed : unpacked(packed, headers['content-encoding'])
  const text = body.toString('utf8')
  return { status, headers, body, text, json: <T>() => JSON.parse(text) as T }
}

export interface Connection {
  /** Undefined when the server closed without a reply. */
  send(parts: RequestParts): Promise<Reply | undefined>
  close(): void
}

export const openConnection = (
  address: string,
  /** Sends once more what met a connection that the server had closed in the meantime. */
  { resend = true }: { readonly resend?: boolean } = {},
): Connection => {
  const { hostname, port } = new URL(address)
  let kept: Socket | undefined

  const open = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true })
      socket.once('connect', () => {
        socket.off('error', reject)
        socket.on('error', () => undefined)
        resolve(socket)
      })
      socket.once('error', reject)
    })

  const exchange = (socket: Socket, bytes: Buffer, method: string): Promise<Reply | undefined> =>
    new Promise((resolve, reject) => {
      let got: Buffer = Buffer.alloc(0)
      const finish = (reply: Reply | undefined, keep: boolean) => {
        clearTimeout(timer)
        socket.removeAllListeners('data')
        socket.removeAllListeners('close')
        kept = keep ? socket : undefined
        if (!keep) socket.destroy()
        resolve(reply)
      }
      const timer = setTimeout(() => {
        socket.destroy()
        reject(new Error(`no reply within ${patienceMs} ms`))
      }, patienceMs)
      socket.on('data', (chunk: Buffer) => {
        got = got.length === 0 ? chunk : Buffer.concat([got, chunk])
        const reply = replyOf(got, method, false)
        if (reply === undefined) return
        const stream = reply.headers['content-type'] === 'text/event-stream'
        finish(reply, !stream && reply.headers['connection'] !== 'close')
      })
      socket.on('close', () => finish(replyOf(got, method, true), false))
      socket.write(bytes)
    })

  return {
    send: async (parts) => {
      const bytes = requestBytes(address, parts)
      const method = parts.method ?? 'GET'
      const old = kept
      kept = undefined
      if (old !== undefined && !old.destroyed && !old.readableEnded) {
        const reply = await exchange(old, bytes, method)
        // The server may have closed it in the meantime: that tells nothing about this request.
        if (reply !== undefined || !resend) return reply
      }
      return exchange(await open(), bytes, method)
    },
    close: () => kept?.destroy(),
  }
}

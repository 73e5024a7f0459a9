import { connect, type Socket } from 'node:net'

/*
 * HTTP/1.1 by hand, because a client library repairs or refuses what is to be sent here: each byte is as the test says. One request a
 * connection.
 */

export interface Reply {
  readonly status: number
  /** By lower-case name; repeated ones are joined with ', '. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly text: string
  json<T = Record<string, unknown>>(): T
}

export interface RequestParts {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** A text is sent as it is, anything else but bytes as JSON. */
  readonly body?: unknown
}

/** No reply here takes longer: 10 s is the limit of a request. */
const patienceMs = 15_000

const parse = (
  bytes: Buffer,
  head: boolean,
): { readonly reply: Reply; readonly whole: boolean } | undefined => {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1])
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  // A stream of events has no end to wait for.
  const stream = headers['content-type'] === 'text/event-stream'
  const bodiless = head || status === 204 || status === 304
  const length = bodiless ? 0 : Number(headers['content-length'] ?? Number.NaN)
  const body = bytes.subarray(end + 4, Number.isNaN(length) ? undefined : end + 4 + length)
  const text = body.toString('utf8')
  const reply = { status, headers, body, text, json: <T>() => JSON.parse(text) as T }
  return { reply, whole: stream || (!Number.isNaN(length) && body.length === length) }
}

const open = (address: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(address)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })

export interface Conversation {
  /** Undefined when the connection ended without one. */
  readonly reply: Reply | undefined
  /** All bytes that came. */
  readonly bytes: Buffer
  readonly closed: boolean
}

/**
 * Sends bytes and reads: until the first reply is whole, or, with `untilClosed`, until the server has closed the connection.
 */
export const converse = async (
  address: string,
  bytes: Buffer | string | readonly (Buffer | string)[],
  {
    head = false,
    untilClosed = false,
  }: { readonly head?: boolean; readonly untilClosed?: boolean } = {},
): Promise<Conversation> => {
  const socket = await open(address)
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0)
    let closed = false
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ reply: parse(got, head)?.reply, bytes: got, closed })
    }
    const timer = setTimeout(() => {
      socket.destroy()
      reject(
        new Error(
          `no end of the reply within ${patienceMs} ms, but ${JSON.stringify(got.toString('latin1'))}`,
        ),
      )
    }, patienceMs)
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk])
      if (!untilClosed && parse(got, head)?.whole === true) done()
    })
    socket.on('end', () => (closed = true))
    socket.on('close', done)
    // A reset: what came before it counts.
    socket.on('error', () => (closed = true))
    for (const part of Array.isArray(bytes)
      ? (bytes as (Buffer | string)[])
      : [bytes as Buffer | string])
      socket.write(part)
  })
}

/** The bytes of a request as a well-behaved client sends it. */
export const requestBytes = (
  address: string,
  { method = 'GET', path, headers = {}, body }: RequestParts,
): Buffer => {
  const content =
    body === undefined || body instanceof Uint8Array || typeof body === 'string'
      ? body
      : JSON.stringify(body)
  const bytes = Buffer.from(content ?? '')
  const lines: Record<string, string> = {
    host: new URL(address).host,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(body === undefined && (method === 'GET' || method === 'HEAD')
      ? {}
      : { 'content-length': String(bytes.length) }),
    ...headers,
  }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([
    Buffer.from(`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`, 'latin1'),
    bytes,
  ])
}

export const send = async (address: string, parts: RequestParts): Promise<Reply> => {
  const { reply, bytes } = await converse(address, requestBytes(address, parts), {
    head: parts.method === 'HEAD',
  })
  if (reply === undefined)
    throw new Error(
      `${parts.method ?? 'GET'} ${parts.path}: no reply but ${JSON.stringify(bytes.toString('latin1'))}`,
    )
  return reply
}

export const bearer = (token: string | undefined) => ({ authorization: `Bearer ${token}` })

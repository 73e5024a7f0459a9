import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { HttpReply } from '../../link/http.ts'

/** The server alone knows these, so a handler's are not sent. */
const ours = new Set(['content-length', 'date', 'connection', 'keep-alive', 'transfer-encoding'])

export const isStream = (body: HttpReply['body']): body is AsyncIterable<Uint8Array> =>
  typeof body === 'object' && !(body instanceof Uint8Array)

const headerLines = (reply: HttpReply): string[] => {
  const lines: string[] = []
  for (const [name, value] of Object.entries(reply.headers)) {
    if (ours.has(name)) continue
    if (typeof value === 'string') lines.push(name, value)
    else for (const one of value) lines.push(name, one)
  }
  return lines
}

/** RFC 9110, 6.4.1 and 8.6: these have no content, and no length either. */
const isBodiless = (status: number): boolean => status === 204 || status === 304

/**
 * Writes a reply; `close` announces that the connection ends with it. Throws what node:http throws
 * for an invalid header.
 */
export const sendReply = (
  response: ServerResponse,
  reply: HttpReply,
  head: boolean,
  close: boolean,
): void => {
  const { status, body } = reply
  const lines = headerLines(reply)
  if (close) lines.push('connection', 'close')
  if (isStream(body)) {
    response.writeHead(status, STATUS_CODES[status] ?? '', lines)
    if (head || isBodiless(status)) {
      response.end()
      abandon(reply)
    } else void pump(response, body)
    return
  }
  if (!isBodiless(status)) lines.push('content-length', String(lengthOf(reply, head)))
  response.writeHead(status, STATUS_CODES[status] ?? '', lines)
  if (head || body === undefined || isBodiless(status)) response.end()
  else response.end(body)
}

const lengthOf = ({ body, headers }: HttpReply, head: boolean): string | number => {
  if (body !== undefined) return Buffer.byteLength(body as string | Uint8Array)
  // A gateway passes on the reply to a HEAD: its length is that of the body which GET would have.
  const said = headers['content-length']
  return head && typeof said === 'string' ? said : 0
}

/**
 * Nobody is left to be told: the client went away, and the iterator's owner knows its own
 * failures.
 */
const ignored = (): void => undefined

/** Nobody reads this reply: a stream that would have made it is told so. */
export const abandon = ({ body }: HttpReply): void => {
  if (isStream(body)) void body[Symbol.asyncIterator]().return?.().catch(ignored)
}

const pump = async (response: ServerResponse, body: AsyncIterable<Uint8Array>): Promise<void> => {
  const iterator = body[Symbol.asyncIterator]()
  let wake = ignored
  let ended = false
  response.on('drain', () => wake())
  response.on('close', () => {
    wake()
    // Called beside a next() that may never settle, such as one that waits for the next event.
    if (!ended) void iterator.return?.().catch(ignored)
  })
  // A client of a feed waits for the head before the first item.
  response.flushHeaders()
  try {
    while (!response.destroyed) {
      const next = await iterator.next()
      if (next.done === true) {
        ended = true
        response.end()
        return
      }
      if (!response.write(next.value) && !response.destroyed) {
        await new Promise<void>((resolve) => (wake = resolve))
      }
    }
  } catch {
    // Too late for another status: without its last chunk the client sees that the reply is cut
    // short.
    ended = true
    response.destroy()
  }
}

/**
 * A connection's last reply in bytes, for where node:http has none to write, or would close too
 * soon. A stream is not for it. Throws for an invalid header, as node:http does.
 */
export const rawReply = (reply: HttpReply, head: boolean): Buffer => {
  const { status, body } = reply
  const lines = headerLines(reply)
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  for (let at = 0; at + 1 < lines.length; at += 2) {
    validateHeaderName(lines[at]!)
    validateHeaderValue(lines[at]!, lines[at + 1]!)
    text += `${lines[at]}: ${lines[at + 1]}\r\n`
  }
  text += `date: ${new Date().toUTCString()}\r\nconnection: close\r\n`
  if (!isBodiless(status)) text += `content-length: ${lengthOf(reply, head)}\r\n`
  const content = head || isBodiless(status) || body === undefined || isStream(body) ? '' : body
  return Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), Buffer.from(content as string)])
}

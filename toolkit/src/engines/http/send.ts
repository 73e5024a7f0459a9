import { Agent, request as openRequest, type IncomingMessage } from 'node:http'
import { failure } from '../../base/failure.ts'
import { abortSignal } from '../../guard/signal.ts'
import type { HttpAnswer, SendHttp } from '../../link/http-send.ts'

/** Shorter than servers keep theirs (65 s), so that a request never meets a connection that is being closed. */
const idleMs = 30_000

/** What tells that no connection came about: the request cannot have been read. */
const unconnected = new Set([
  'ECONNREFUSED',
  'ConnectionRefused',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
])

async function* chunks(message: IncomingMessage, address: string): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of message) yield chunk as Uint8Array
  } catch (cause) {
    throw failure('unknown-outcome', `${address}: the connection broke within an answer`, { cause })
  } finally {
    // Whoever leaves before the end leaves the connection.
    if (!message.complete) message.destroy()
  }
}

const answerOf = (message: IncomingMessage, address: string): HttpAnswer => ({
  status: message.statusCode ?? 0,
  header: (name) => {
    const value = message.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  },
  body: async () => {
    const parts: Uint8Array[] = []
    for await (const part of chunks(message, address)) parts.push(part)
    return Buffer.concat(parts)
  },
  stream: () => chunks(message, address),
})

/** Sends requests to other hosts over HTTP/1.1 connections that are kept and used again, as many as calls are under way. */
export const sendHttp = (): { readonly send: SendHttp; close(): void } => {
  const agent = new Agent({ keepAlive: true, timeout: idleMs, scheduling: 'lifo' })
  const send: SendHttp = ({ address, method, target, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(body)
      const outgoing = openRequest(
        new URL(target, address),
        {
          agent,
          method,
          headers: { ...headers, 'content-length': bytes.length },
          signal: abortSignal(signal),
        },
        (message) => resolve(answerOf(message, address)),
      )
      outgoing.on('error', (cause: NodeJS.ErrnoException) =>
        reject(
          unconnected.has(cause.code ?? '')
            ? failure('unavailable', `${address} cannot be reached`, { cause })
            : failure('unknown-outcome', `${address}: the connection broke before the answer`, {
                cause,
              }),
        ),
      )
      outgoing.end(bytes)
    })
  return { send, close: () => agent.destroy() }
}

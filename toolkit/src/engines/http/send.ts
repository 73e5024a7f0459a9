import { Agent, request as openRequest, type IncomingMessage } from 'node:http'
import { Agent as TlsAgent, request as openTlsRequest } from 'node:https'
import { failure } from '../../base/failure.ts'
import { abortSignal } from '../../guard/signal.ts'
import { mutualTls, refusedScheme, schemeOf, type Certificates } from '../../link/certificates.ts'
import { maxMessageBytes } from '../../link/http-link.ts'
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

const { minVersion, rejectUnauthorized } = mutualTls
// The authority is the fleet's own; hosts come and go, under whatever names.
const checkServerIdentity = () => undefined

/** The other side's certificate is not one of the fleet: nothing was said to it. */
const untrusted = /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_SSL_WRONG_VERSION_NUMBER)/

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
    let size = 0
    for await (const part of chunks(message, address)) {
      size += part.length
      if (size > maxMessageBytes)
        throw failure('internal', `${address}: an answer has at most ${maxMessageBytes} bytes`)
      parts.push(part)
    }
    return Buffer.concat(parts)
  },
  stream: () => chunks(message, address),
})

/** Sends requests to other hosts over HTTP/1.1 connections that are kept and used again, as many as calls are under way. */
export const sendHttp = (
  certificates?: Certificates,
): { readonly send: SendHttp; close(): void } => {
  const own = schemeOf('http', certificates)
  const kept = { keepAlive: true, timeout: idleMs, scheduling: 'lifo' } as const
  const agent =
    certificates === undefined
      ? new Agent(kept)
      : new TlsAgent({ ...kept, minVersion, rejectUnauthorized, checkServerIdentity })
  const open = certificates === undefined ? openRequest : openTlsRequest
  const send: SendHttp = ({ address, method, target, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const refused = refusedScheme(address, own)
      if (refused !== undefined) return reject(refused)
      const bytes = Buffer.from(body)
      const outgoing = open(
        new URL(target, address),
        {
          ...certificates?.current,
          agent,
          method,
          headers: { ...headers, 'content-length': bytes.length },
          signal: abortSignal(signal),
        },
        (message) => resolve(answerOf(message, address)),
      )
      outgoing.on('error', (cause: NodeJS.ErrnoException) =>
        reject(
          unconnected.has(cause.code ?? '') || untrusted.test(cause.code ?? '')
            ? failure('unavailable', `${address} cannot be reached: ${cause.message}`, { cause })
            : failure('unknown-outcome', `${address}: the connection broke before the answer`, {
                cause,
              }),
        ),
      )
      outgoing.end(bytes)
    })
  return { send, close: () => agent.destroy() }
}

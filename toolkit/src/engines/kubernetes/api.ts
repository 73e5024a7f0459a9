import { readFile } from 'node:fs/promises'
import { request as plainRequest, type IncomingMessage } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { join } from 'node:path'
import type { Env } from '../../base/env.ts'
import { failure, ServalError } from '../../base/failure.ts'

export interface KubernetesApi {
  /** The body of an answer, as it comes. Rejects with `Gone` for 410, with `Broken` also when the whole takes longer than `timeoutMs`. */
  get(path: string, timeoutMs: number, signal: AbortSignal): AsyncIterable<Uint8Array>
}

/** What was known is too old: it is listed anew. */
export class Gone extends Error {
  override readonly name = 'Gone'
}

/** The connection did not come about, or ended: what was known still holds. */
export class Broken extends Error {
  override readonly name = 'Broken'
}

const readOr = (file: string): Promise<string | undefined> =>
  readFile(file, 'utf8').catch(() => undefined)

const maxErrorBytes = 1_024

const why = async (message: IncomingMessage): Promise<string> => {
  let text = ''
  for await (const piece of message) {
    text += String(piece)
    if (text.length > maxErrorBytes) break
  }
  return text.slice(0, maxErrorBytes).trim()
}

/**
 * The API server, as the service account whose folder is given may ask it. The token is read for each request: it is replaced about every
 * hour.
 */
export const kubernetesApi = (env: Env, server: string, account: string): KubernetesApi => ({
  get: async function* (path, timeoutMs, signal) {
    const [token, ca] = await Promise.all([
      readOr(join(account, 'token')),
      readOr(join(account, 'ca.crt')),
    ])
    const late = new AbortController()
    const forget = env.after(timeoutMs, () => late.abort())
    const url = new URL(path, server)
    const send = url.protocol === 'https:' ? tlsRequest : plainRequest
    try {
      const message = await new Promise<IncomingMessage>((resolve, reject) => {
        const outgoing = send(
          url,
          {
            headers: {
              accept: 'application/json',
              ...(token !== undefined && { authorization: `Bearer ${token.trim()}` }),
            },
            ...(url.protocol === 'https:' && {
              rejectUnauthorized: true,
              ...(ca !== undefined && { ca }),
            }),
            // Each request is a long one: none finds a connection that is being closed.
            agent: false,
            signal: AbortSignal.any([signal, late.signal]),
          },
          resolve,
        )
        outgoing.on('error', reject)
        outgoing.end()
      })
      try {
        if (message.statusCode === 410) throw new Gone('the API server has forgotten so old a list')
        if (message.statusCode !== 200)
          throw failure(
            'unavailable',
            `Kubernetes at ${server} answered ${message.statusCode} ${await why(message)}`,
          )
        for await (const piece of message) yield piece
      } finally {
        message.destroy()
      }
    } catch (cause) {
      signal.throwIfAborted()
      if (cause instanceof Gone || cause instanceof ServalError) throw cause
      const said = late.signal.aborted
        ? `no end within ${timeoutMs} ms`
        : cause instanceof Error
          ? cause.message
          : String(cause)
      throw new Broken(`Kubernetes at ${server}: ${said}`, { cause })
    } finally {
      forget()
    }
  },
})

import { request as openRequest, type IncomingMessage } from 'node:http'
import { request as openTlsRequest } from 'node:https'
import { z } from 'zod'
import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import { textOf } from '../../link/bounded.ts'

const maxBytes = 16 * 1024 * 1024
const maxErrorBytes = 1_024

export interface ConsulAnswer {
  readonly status: number
  readonly index: string | null
  readonly text: string
}

export interface ConsulApi {
  /** Rejects with `unavailable` when Consul is not reached in time, or says too much. */
  (
    method: 'GET' | 'PUT',
    path: string,
    options: { readonly body?: unknown; readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<ConsulAnswer>
}

/**
 * Requests to an agent's HTTP API, with the token of its ACL. Over TLS it must show a certificate that `ca`, or else one of the
 * well-known authorities, signed: the environment can turn that off for others, not for who says where calls go.
 */
export const consulApi =
  (env: Env, address: string, token: string, ca: string | undefined): ConsulApi =>
  async (method, path, { body, timeoutMs, signal }) => {
    const late = new AbortController()
    const forget = env.after(timeoutMs, () =>
      late.abort(failure('unavailable', `no answer within ${timeoutMs} ms`)),
    )
    const url = new URL(path, address)
    const open = url.protocol === 'https:' ? openTlsRequest : openRequest
    const bytes = Buffer.from(body === undefined ? '' : JSON.stringify(body))
    try {
      const message = await new Promise<IncomingMessage>((resolve, reject) => {
        const outgoing = open(
          url,
          {
            method,
            headers: {
              ...(token !== '' && { 'x-consul-token': token }),
              ...(body !== undefined && { 'content-type': 'application/json' }),
              'content-length': bytes.length,
            },
            ...(url.protocol === 'https:' && {
              rejectUnauthorized: true,
              ...(ca !== undefined && { ca }),
            }),
            agent: false,
            signal: AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])]),
          },
          resolve,
        )
        outgoing.on('error', reject)
        outgoing.end(bytes)
      })
      try {
        const index = message.headers['x-consul-index']
        return {
          status: message.statusCode ?? 0,
          index: typeof index === 'string' ? index : null,
          text: await textOf(message, maxBytes),
        }
      } finally {
        message.destroy()
      }
    } catch (cause) {
      signal?.throwIfAborted()
      const why = late.signal.aborted ? late.signal.reason : cause
      const said = why instanceof Error ? why.message : String(why)
      throw failure('unavailable', `Consul at ${address}: ${said}`, { cause })
    } finally {
      forget()
    }
  }

/** Why Consul refused, in its words. */
export const refusal = (what: string, { status, text }: ConsulAnswer) => {
  const words = text.slice(0, maxErrorBytes).trim()
  return failure(
    status >= 400 && status < 500 && status !== 429 ? 'misconfigured' : 'unavailable',
    `Consul refused ${what}: ${status}${words === '' ? '' : ` ${words}`}`,
  )
}

/** An instance of a service as /v1/health/service tells it, as far as it is looked at. */
const Entry = z.object({
  Node: z.object({ Address: z.string() }),
  Service: z.object({
    ID: z.string().min(1),
    Address: z.string(),
    Port: z.int().min(1).max(65_535),
    Tags: z.array(z.string()).max(1_000),
    Meta: z.object({ serval: z.string() }),
  }),
})
export type Entry = z.output<typeof Entry>

/** The hosts of an answer; what is none, such as another program's service of the same name, is left out and counted. */
export const entriesIn = (
  text: string,
): { readonly hosts: readonly Entry[]; readonly others: number } => {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch (cause) {
    throw failure('unavailable', 'Consul answered something other than JSON', { cause })
  }
  if (!Array.isArray(list))
    throw failure('unavailable', 'Consul answered something other than a list of services')
  const hosts = list.flatMap((one) => {
    const { data } = Entry.safeParse(one)
    return data === undefined ? [] : [data]
  })
  return { hosts, others: list.length - hosts.length }
}

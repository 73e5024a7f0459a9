import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { sha256 } from '../base/hash.ts'
import { fillPath, type Operation } from '../contract/index.ts'
import type { Call } from '../link/call.ts'
import type { RememberedReply, Replies, ReplyKey } from '../store/store.ts'
import { scopeOf } from './access.ts'

const keepMs = 24 * 3_600_000

/** JSON with sorted keys (RFC 8785), so that two texts of one input have one hash. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`
}

/** An idempotency key at work: one call of one caller, and the reply that it must repeat. */
export interface Remembering {
  /** The remembered reply, if there is one. Throws `idempotency-key-reused` when the input differs. */
  recall(): Promise<RememberedReply | undefined>
  /** The reply to remember, in bytes. */
  reply(value: unknown): RememberedReply
}

export const remembering = async (
  operation: Operation,
  call: Call,
  input: unknown,
  replies: Replies,
  env: Env,
): Promise<Remembering> => {
  if (call.key === undefined)
    throw failure(
      'idempotency-key-missing',
      'Send an Idempotency-Key header: a text of your own, new for each new intent',
    )
  const id: ReplyKey = { scope: scopeOf(call.caller, call.target), key: call.key }
  const inputHash = sha256(canonical(input), 'hex')
  return {
    recall: async () => {
      const found = await replies.recall(id)
      if (found !== undefined && found.inputHash !== inputHash)
        throw failure(
          'idempotency-key-reused',
          'This Idempotency-Key was used with another body; send a new key for a new intent',
        )
      return found
    },
    reply: (value) => ({
      ...id,
      inputHash,
      status: operation.http?.status ?? 200,
      contentType: 'application/json',
      location:
        operation.http?.location === undefined
          ? undefined
          : fillPath(operation.http.location, value as Record<string, unknown>),
      body:
        value === undefined ? new Uint8Array() : new TextEncoder().encode(JSON.stringify(value)),
      expiresAt: env.now() + keepMs,
    }),
  }
}

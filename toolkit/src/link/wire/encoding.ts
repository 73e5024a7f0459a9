import { z } from 'zod'
import { asFailure, failure, type ServalError } from '../../base/failure.ts'
import type { Reply } from '../call.ts'
import { failureFrom } from '../failure-message.ts'
import { unreadable } from '../unreadable.ts'
import { misspoken } from './frames.ts'

/** A call as it travels: a list of these in JSON, the last of which may be missing. */
export interface CallMessage {
  readonly contract: string
  readonly operation: string
  /** The number under which this connection knows the caller's token. */
  readonly identity: number
  /** Milliseconds until the caller stops waiting. */
  readonly left: number
  readonly correlationId: string
  readonly strict: boolean
  readonly key: string | null
  readonly input: unknown
}

/** A server keeps some of them for each connection. */
export const maxIdentityBytes = 8 * 1024
export const longestWaitMs = 24 * 3_600_000
const lineFeed = 10

export const CallSchema = z.object({
  contract: z.string(),
  operation: z.string(),
  identity: z.int(),
  left: z.number().min(0).max(longestWaitMs),
  correlationId: z.string(),
  strict: z.boolean(),
  key: z.string().nullable(),
  input: z.unknown(),
})
const Remembered = z.object({
  status: z.int(),
  contentType: z.string(),
  location: z.string().optional(),
})

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

const read = <T>(what: string, decode: () => T): T => {
  try {
    return decode()
  } catch (cause) {
    throw misspoken(`${what} cannot be read: ${unreadable(cause)}`)
  }
}

/** Says the same as the schema, sooner. */
export const isCall = (said: Readonly<Record<keyof CallMessage, unknown>>): said is CallMessage =>
  typeof said.contract === 'string' &&
  typeof said.operation === 'string' &&
  Number.isSafeInteger(said.identity) &&
  typeof said.left === 'number' &&
  said.left >= 0 &&
  said.left <= longestWaitMs &&
  typeof said.correlationId === 'string' &&
  typeof said.strict === 'boolean' &&
  (said.key === null || typeof said.key === 'string')

export const callText = (message: CallMessage): string => {
  const { contract, operation, identity, left, correlationId, strict, key, input } = message
  const said: unknown[] = [contract, operation, identity, left, correlationId, strict, key]
  if (input !== undefined) said.push(input)
  return JSON.stringify(said)
}

export const readCall = (payload: Uint8Array): CallMessage =>
  read('a call', () => {
    const said: unknown = JSON.parse(decoder.decode(payload))
    const parts: readonly unknown[] = Array.isArray(said) ? said : []
    const message = {
      contract: parts[0],
      operation: parts[1],
      identity: parts[2],
      left: parts[3],
      correlationId: parts[4],
      strict: parts[5],
      key: parts[6],
      input: parts[7],
    }
    return isCall(message) ? message : CallSchema.parse(message)
  })

/** A value, or an item of a feed; nothing is an empty text. */
export const valueText = (value: unknown): string =>
  value === undefined ? '' : JSON.stringify(value)

export const readValue = (payload: Uint8Array): unknown =>
  payload.length === 0
    ? undefined
    : read('a value', (): unknown => JSON.parse(decoder.decode(payload)))

export type Remembering = NonNullable<Reply['remembered']>

/** Status, type and location as a line of JSON, then the body's bytes. */
export const rememberedBytes = (reply: Remembering): Uint8Array => {
  const { status, contentType, location, body } = reply
  const head = encoder.encode(`${JSON.stringify({ status, contentType, location })}\n`)
  const bytes = new Uint8Array(head.length + body.length)
  bytes.set(head)
  bytes.set(body, head.length)
  return bytes
}

export const readRemembered = (payload: Uint8Array): Remembering =>
  read('a remembered reply', () => {
    const end = payload.indexOf(lineFeed)
    const head: unknown = JSON.parse(decoder.decode(payload.subarray(0, end)))
    const { status, contentType, location } = Remembered.parse(head)
    return { status, contentType, location, body: payload.slice(end + 1) }
  })

export const failureText = (thrown: unknown): string => {
  try {
    return JSON.stringify(asFailure(thrown))
  } catch (cause) {
    return JSON.stringify(failure('internal', undefined, { cause }))
  }
}

export const readFailure = (payload: Uint8Array): ServalError =>
  failureFrom(read('a failure', (): unknown => JSON.parse(decoder.decode(payload))))

export const identityBytes = (number: number, token: string): Uint8Array => {
  const bytes = encoder.encode(`0000${token}`)
  if (bytes.length > maxIdentityBytes)
    throw failure('invalid-input', `an identity has at most ${maxIdentityBytes} bytes`, {
      ran: 'not-sent',
    })
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

export const readToken = (payload: Uint8Array): string => {
  if (payload.length > maxIdentityBytes)
    throw misspoken(`an identity has at most ${maxIdentityBytes} bytes, not ${payload.length}`)
  return read('an identity', () => decoder.decode(payload.subarray(4)))
}

import { z } from 'zod'
import { asFailure, failure, type ServalError } from '../../base/failure.ts'
import type { Reply } from '../call.ts'
import { failureFrom } from '../failure-message.ts'
import { unreadable } from '../unreadable.ts'
import { misspoken } from './frames.ts'

/** What a call says beside its input: JSON, then a line feed, then the input as JSON, or nothing. */
export interface CallHead {
  readonly contract: string
  readonly operation: string
  /** The number under which this connection knows the caller's token. */
  readonly identity: number
  /** Milliseconds until the caller stops waiting. */
  readonly left: number
  readonly correlationId: string
  readonly strict?: true
  readonly key?: string
}

export interface CallMessage {
  readonly head: CallHead
  readonly input: unknown
}

/** A server keeps some of them for each connection. */
export const maxIdentityBytes = 8 * 1024
export const longestWaitMs = 24 * 3_600_000
const lineFeed = 10

const Head = z.object({
  contract: z.string().min(1),
  operation: z.string().min(1),
  identity: z.int(),
  left: z.number().min(0).max(longestWaitMs),
  correlationId: z.string(),
  strict: z.literal(true).exactOptional(),
  key: z.string().exactOptional(),
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

export const callText = (head: CallHead, input: unknown): string =>
  `${JSON.stringify(head)}\n${input === undefined ? '' : JSON.stringify(input)}`

export const readCall = (payload: Uint8Array): CallMessage =>
  read('a call', () => {
    const text = decoder.decode(payload)
    const end = text.indexOf('\n')
    const head = Head.parse(JSON.parse(text.slice(0, end)))
    const rest = text.slice(end + 1)
    const input: unknown = rest === '' ? undefined : JSON.parse(rest)
    return { head, input }
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

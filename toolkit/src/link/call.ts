import type { Signal } from '../guard/index.ts'
import type { RememberedReply } from '../store/store.ts'
import type { Trace } from '../telemetry/trace.ts'

/** Who calls. A service never invents a user: the edge says who it is, services pass on only themselves. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'user'
      readonly id: string
      readonly roles: readonly string[]
      readonly session: string
    }
  | { readonly kind: 'operator' }
  | { readonly kind: 'service'; readonly name: string }

/** One call of one operation, on its way through a link. */
export interface Call {
  readonly contract: string
  readonly operation: string
  readonly input: unknown
  readonly caller: Caller
  /** The caller's idempotency key. */
  readonly key: string | undefined
  /** When the caller stops waiting: milliseconds of the local clock. On a wire it travels as the time that remains. */
  readonly deadline: number
  /** Aborts when nobody waits for the reply any more; `abortSignal` makes an AbortSignal of it. */
  readonly signal: Signal
  readonly trace: Trace
  /** From the public edge: unknown fields are refused. */
  readonly strict: boolean
  /** For guards: `contract.operation`, and whether a second run is harmless. */
  readonly target: string
  readonly repeatable: boolean
}

/** The call under another signal. Field by field: every call pays for it, and a spread takes many times as long. */
export const callUnder = (call: Call, signal: Signal): Call => ({
  contract: call.contract,
  operation: call.operation,
  input: call.input,
  caller: call.caller,
  key: call.key,
  deadline: call.deadline,
  signal,
  trace: call.trace,
  strict: call.strict,
  target: call.target,
  repeatable: call.repeatable,
})

/** What an operation answered: a value, an async iterable (a feed), or the bytes of a remembered reply. */
export type Reply =
  | { readonly value: unknown; readonly remembered?: undefined }
  | { readonly remembered: Pick<RememberedReply, 'status' | 'contentType' | 'location' | 'body'> }

/** How a call reaches a service, wherever it runs. Rejects with a ServalError. */
export interface Link {
  call(call: Call): Promise<Reply>
}

/** A reply that has only begun: its items come as long as the caller listens. */
export interface FeedReply {
  readonly value: AsyncIterable<unknown>
  readonly remembered?: undefined
}

export const isFeed = (reply: Reply): reply is FeedReply =>
  reply.remembered === undefined &&
  typeof reply.value === 'object' &&
  reply.value !== null &&
  Symbol.asyncIterator in reply.value

export const valueOf = (reply: Reply): unknown =>
  reply.remembered === undefined
    ? reply.value
    : reply.remembered.body.length === 0
      ? undefined
      : JSON.parse(new TextDecoder().decode(reply.remembered.body))

import type { Contract, OutputOf, SentInputOf } from './contract.ts'
import type { Operation } from './operation.ts'

export interface CallOptions {
  /** Remembered with the reply of a command for 24 hours: the same key repeats the same reply. */
  readonly key?: string
  /** Milliseconds to wait, instead of the operation's own deadline; never beyond the deadline of the call being handled. */
  readonly deadlineMs?: number
  readonly signal?: AbortSignal
}

type Sent<Op extends Operation> = SentInputOf<Op>

/** A contract's operations as typed functions. A failure rejects with a ServalError. */
export type Client<C extends Contract> = {
  readonly [K in keyof C['operations']]: (
    input: Sent<C['operations'][K]>,
    options?: CallOptions,
  ) => C['operations'][K]['kind'] extends 'feed'
    ? AsyncIterable<OutputOf<C['operations'][K]>>
    : Promise<OutputOf<C['operations'][K]>>
}

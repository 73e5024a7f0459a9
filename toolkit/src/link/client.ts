import type { Env } from '../base/env.ts'
import { failure, ServalError } from '../base/failure.ts'
import type { CallOptions, Client, Contract } from '../contract/index.ts'
import { breaker, bulkhead, compose, deadline, retry, type Interceptor } from '../guard/index.ts'
import type { Trace } from '../telemetry/trace.ts'
import { isFeed, valueOf, type Call, type Caller, type Link, type Reply } from './call.ts'

/** A link with the caller's guards around it: deadline → retry under a budget → breaker → bulkhead → link. */
export const guardedLink = (
  link: Link,
  env: Env,
  interceptors?: readonly Interceptor<Call, Reply>[],
): Link => ({
  call: compose(
    interceptors ?? [deadline(env, isFeed), retry({ env }), breaker({ env }), bulkhead(1_024)],
    (call) => link.call(call),
  ),
})

const callersFaults = new Set([
  'invalid-input',
  'unauthenticated',
  'forbidden',
  'no-such-operation',
  'idempotency-key-missing',
])

/** The link from one service to others: what blames the caller there is a fault of the calling service, and no news for those who called it. */
export const betweenServices = (link: Link): Link => ({
  call: (call) =>
    link.call(call).catch((error: unknown) => {
      if (!(error instanceof ServalError) || !callersFaults.has(error.code)) throw error
      throw failure('internal', `${call.target} refused the call: ${error.message}`, {
        cause: error,
      })
    }),
})

/** On whose behalf a client calls: who, until when, as part of what. */
export interface CallContext {
  readonly env: Env
  readonly caller: Caller
  readonly deadline: number
  readonly signal: AbortSignal
  readonly trace: Trace
  /** Throws when calling is not allowed now (inside a step). */
  readonly mayCall: () => void
}

const call = (
  contract: Contract,
  operation: string,
  input: unknown,
  context: CallContext,
  options: CallOptions,
): Call => {
  const declared = contract.operations[operation]
  if (declared === undefined)
    throw failure('no-such-operation', `${contract.name} has no operation ${operation}`)
  const wait = options.deadlineMs ?? declared.deadlineMs
  return {
    contract: contract.name,
    operation,
    input,
    caller: context.caller,
    key: options.key,
    deadline: Math.min(context.deadline, context.env.now() + wait),
    signal:
      options.signal === undefined
        ? context.signal
        : AbortSignal.any([context.signal, options.signal]),
    trace: context.trace,
    strict: false,
    target: `${contract.name}.${operation}`,
    repeatable:
      declared.repeat === 'natural' || (declared.repeat === 'key' && options.key !== undefined),
  }
}

/** Calls when the first item is asked for: a feed that nobody reads fails nowhere. */
async function* items(reply: () => Promise<Reply>): AsyncIterable<unknown> {
  yield* valueOf(await reply()) as AsyncIterable<unknown>
}

/** The contract's operations as functions that call over a link. */
export const clientOf = <C extends Contract>(
  contract: C,
  link: Link,
  context: CallContext,
): Client<C> =>
  Object.fromEntries(
    Object.entries(contract.operations).map(([name, operation]) => [
      name,
      operation.kind === 'feed'
        ? (input: unknown, options?: CallOptions) =>
            items(() => {
              context.mayCall()
              return link.call(call(contract, name, input, context, options ?? {}))
            })
        : async (input: unknown, options?: CallOptions) => {
            context.mayCall()
            return valueOf(await link.call(call(contract, name, input, context, options ?? {})))
          },
    ]),
  ) as Client<C>

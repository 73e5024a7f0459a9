import type { Env } from '../base/env.ts'
import { failure, ServalError } from '../base/failure.ts'
import type { CallOptions, Client, Contract, Operation } from '../contract/index.ts'
import {
  abortSignal,
  breaker,
  bulkhead,
  compose,
  deadline,
  never,
  retry,
  type Interceptor,
  type Signal,
} from '../guard/index.ts'
import type { Trace } from '../telemetry/trace.ts'
import {
  callUnder,
  isFeed,
  valueOf,
  type Call,
  type Caller,
  type Link,
  type Reply,
} from './call.ts'
import type { RetryTally } from './retry-tally.ts'

/**
 * A link with the caller's guards around it: deadline → retry under a budget → breaker → bulkhead → link. Links may share what
 * watches their deadlines.
 */
export const guardedLink = (
  link: Link,
  env: Env,
  inTime: Interceptor<Call, Reply> = deadline(env, isFeed, callUnder),
  retried?: RetryTally['retried'],
): Link => ({
  call: compose(
    [inTime, retry({ env, ...(retried && { retried }) }), breaker({ env }), bulkhead(1_024)],
    (call) => link.call(call),
  ),
})

/** Links with guards of their own for each caller and operation: one that fails or hangs stops no other. */
export const guardedLinks = (
  link: Link,
  env: Env,
  tally?: RetryTally,
): ((caller: string) => Link) => {
  const inTime = deadline<Call, Reply>(env, isFeed, callUnder)
  const byCaller = new Map<string, Map<string, Link>>()
  return (caller) => {
    const guarded = byCaller.get(caller) ?? new Map<string, Link>()
    byCaller.set(caller, guarded)
    return {
      call: (call) => {
        tally?.called()
        let known = guarded.get(call.target)
        if (known === undefined) {
          known = guardedLink(link, env, inTime, tally?.retried)
          guarded.set(call.target, known)
        }
        return known.call(call)
      },
    }
  }
}

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
  readonly signal: Signal
  readonly trace: Trace
  /** Throws when calling is not allowed now (inside a step). */
  mayCall(contract: string): void
}

/** The context of calls that are part of no other: nobody gives them up but by their own deadlines. */
export const alone = (env: Env, caller: Caller): CallContext => ({
  env,
  caller,
  deadline: Number.MAX_SAFE_INTEGER,
  signal: never,
  trace: { correlationId: env.id() },
  mayCall: () => undefined,
})

/** What every call of an operation says. */
interface Called {
  readonly contract: string
  readonly name: string
  readonly target: string
  readonly operation: Operation
}

const callOf = (
  { contract, name, target, operation }: Called,
  input: unknown,
  context: CallContext,
  options: CallOptions | undefined,
): Call => {
  context.mayCall(contract)
  const key = options?.key
  const given = options?.signal
  return {
    contract,
    operation: name,
    input,
    caller: context.caller,
    key,
    deadline: Math.min(
      context.deadline,
      context.env.now() + (options?.deadlineMs ?? operation.deadlineMs),
    ),
    signal:
      given === undefined ? context.signal : AbortSignal.any([abortSignal(context.signal), given]),
    trace: context.trace,
    strict: false,
    target,
    repeatable: operation.repeat === 'natural' || (operation.repeat === 'key' && key !== undefined),
  }
}

/** Calls when the first item is asked for: a feed that nobody reads fails nowhere. */
async function* items(reply: () => Promise<Reply>): AsyncIterable<unknown> {
  yield* valueOf(await reply()) as AsyncIterable<unknown>
}

/** Makes clients of a contract, for any number of contexts. */
export const clientsOf = <C extends Contract>(
  contract: C,
  link: Link,
): ((context: CallContext) => Client<C>) => {
  const operations = Object.entries(contract.operations).map(([name, operation]): Called => ({
    contract: contract.name,
    name,
    target: `${contract.name}.${name}`,
    operation,
  }))
  return (context) => {
    const client: Record<string, unknown> = {}
    for (const called of operations)
      client[called.name] =
        called.operation.kind === 'feed'
          ? (input: unknown, options?: CallOptions) =>
              items(() => link.call(callOf(called, input, context, options)))
          : async (input: unknown, options?: CallOptions) =>
              valueOf(await link.call(callOf(called, input, context, options)))
    return client as Client<C>
  }
}

/** The contract's operations as functions that call over a link. */
export const clientOf = <C extends Contract>(
  contract: C,
  link: Link,
  context: CallContext,
): Client<C> => clientsOf(contract, link)(context)

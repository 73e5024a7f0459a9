import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { never } from '../guard/index.ts'
import type { Call, Link } from '../link/call.ts'
import { authorize } from '../service/access.ts'

/*
 * A directory that knows names alone sends calls to hosts that have just begun to listen. Until a host serves, it answers what others need
 * to start themselves, a service's log, and refuses the rest as not sent, so that it is tried elsewhere or again.
 */

const operation = '$serves'
const answerMs = 1_000

/** Asks whether a contract's operations are served. */
export const servesCall = (env: Env, contract: string): Call => ({
  contract,
  operation,
  input: undefined,
  caller: { kind: 'service', name: '$host' },
  key: undefined,
  deadline: env.now() + answerMs,
  signal: never,
  trace: { correlationId: env.id() },
  strict: false,
  target: `${contract}.${operation}`,
  repeatable: true,
})

export const gate = (own: Link, contracts: readonly string[], serves: () => boolean): Link => ({
  call: async (call) => {
    const asks = call.operation === operation
    if (asks) authorize('internal', call.caller)
    if (asks && !contracts.includes(call.contract))
      throw failure('unavailable', `this host does not serve ${call.contract}`)
    if (!serves() && (asks || !call.operation.startsWith('$')) && call.contract !== '$host')
      throw failure('unavailable', `${call.target}: the host is starting`)
    return asks ? { value: undefined } : own.call(call)
  },
})

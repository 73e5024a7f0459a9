import { failure } from '../base/failure.ts'
import { sha256 } from '../base/hash.ts'
import { validInput, type Contract } from '../contract/index.ts'
import type { Call, Reply } from '../link/call.ts'
import { foreignLink, type ForeignOptions } from '../link/foreign-link.ts'
import { authorize, scopeOf } from './access.ts'

/** A service that is not written with Serval, behind a contract: it is called as any other. */
export interface ForeignService {
  readonly contract: Contract
  readonly handle: (call: Call) => Promise<Reply>
}

/**
 * A foreign service at an address. Access and input are checked here, as a service of our own would. The idempotency key that it
 * gets is a hash of who calls what under which key: it knows one caller, us, and keys belong to ours.
 */
export const foreignService = (contract: Contract, options: ForeignOptions): ForeignService => {
  const events = Object.keys(contract.events)
  if (events.length > 0)
    throw failure(
      'misconfigured',
      `the foreign service ${contract.name} has no log: nobody would publish its ${events.join(', ')}`,
    )
  const link = foreignLink(contract, options)
  const operations = new Map(Object.entries(contract.operations))
  return {
    contract,
    handle: async (call) => {
      const operation = operations.get(call.operation)
      if (operation === undefined)
        throw failure(
          'no-such-operation',
          `${contract.name} has no operation ${call.operation}: it is a foreign service`,
        )
      authorize(operation.access, call.caller)
      const input = validInput(operation.input, call.input, call.strict)
      if (call.key === undefined) {
        if (operation.repeat === 'key') throw failure('idempotency-key-missing')
        return link.call({ ...call, input })
      }
      const key = sha256(`${scopeOf(call.caller, call.target)} ${call.key}`, 'base64url')
      return link.call({ ...call, input, key })
    },
  }
}

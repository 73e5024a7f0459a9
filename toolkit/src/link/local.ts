import { failure } from '../base/failure.ts'
import type { Call, Link, Reply } from './call.ts'

/** Calls services of the same process: a look-up and a function call. */
export const localLink = (
  handle: (contract: string) => ((call: Call) => Promise<Reply>) | undefined,
): Link => ({
  call: (call) => {
    const server = handle(call.contract)
    return server === undefined
      ? Promise.reject(
          failure(
            'unavailable',
            `${call.target}: no service of this contract runs in this process`,
          ),
        )
      : server(call)
  },
})

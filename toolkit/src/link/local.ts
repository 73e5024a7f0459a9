import { failure } from '../base/failure.ts'
import type { Call, Link, Reply } from './call.ts'

const nowhere: Link = {
  call: (call) =>
    Promise.reject(
      failure('unavailable', `${call.target}: no service of this contract runs in this process`),
    ),
}

/** Calls services of the same process, a look-up and a function call, and the others over the link `elsewhere`. */
export const localLink = (
  handle: (contract: string) => ((call: Call) => Promise<Reply>) | undefined,
  elsewhere: Link = nowhere,
): Link => ({
  call: (call) => {
    const server = handle(call.contract)
    return server === undefined ? elsewhere.call(call) : server(call)
  },
})

import { failure } from '../base/failure.ts'
import type { Guarded, Interceptor } from './interceptor.ts'

/**
 * At most `limit` calls at once; one more is refused at once with `overloaded`, not queued. On the caller it keeps one slow service from taking
 * every waiting place (bulkhead); on the server it sheds what could not be answered in time anyway.
 */
export const bulkhead = <C extends Guarded, R>(limit: number): Interceptor<C, R> => {
  let running = 0
  return async (call, next) => {
    if (running >= limit)
      throw failure('overloaded', `${call.target}: ${limit} calls are under way already`)
    running += 1
    try {
      return await next(call)
    } finally {
      running -= 1
    }
  }
}

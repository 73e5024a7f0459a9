import { failure } from '../base/failure.ts'
import { begin, type Guarded, type Interceptor } from './interceptor.ts'

/**
 * At most `limit` calls at once; one more is refused at once with `overloaded`, not queued. On the caller it keeps one slow service from taking
 * every waiting place (bulkhead); on the server it sheds what could not be answered in time anyway.
 */
export const bulkhead = <C extends Guarded, R>(limit: number): Interceptor<C, R> => {
  let running = 0
  const answered = (reply: R): R => {
    running -= 1
    return reply
  }
  const failed = (error: unknown): never => {
    running -= 1
    throw error
  }
  return (call, next) => {
    if (running >= limit)
      return Promise.reject(
        failure('overloaded', `${call.target}: ${limit} calls are under way already`),
      )
    running += 1
    return begin(next, call).then(answered, failed)
  }
}

import { z } from 'zod'
import { failure, ServalError } from '../base/failure.ts'

const Failure = z.object({
  code: z.string(),
  kind: z.enum([
    'invalid',
    'unauthenticated',
    'forbidden',
    'not-found',
    'conflict',
    'precondition-failed',
    'unprocessable',
    'limited',
    'internal',
    'unavailable',
    'deadline',
  ]),
  title: z.string(),
  detail: z.string(),
  retryable: z.boolean(),
  ran: z.enum(['not-sent', 'unknown', 'ran']),
  data: z.unknown().optional(),
})

/** A failure as it was thrown on the other side of a link, from its toJSON(). What is not one is the other side's fault. */
export const failureFrom = (message: unknown): ServalError => {
  const read = Failure.safeParse(message)
  if (!read.success)
    return failure('internal', 'the other side of a link answered with what is not a failure')
  const { code, detail, data, ...entry } = read.data
  return new ServalError(code, entry, detail, data === undefined ? {} : { data })
}

import { z } from 'zod'
import { ServalError, type FailureKind } from '../base/failure.ts'

/** A failure that a contract declares: call it with its data to make the error that a handler throws. */
export interface Problem<Code extends string = string, Data extends z.ZodType = z.ZodType> {
  (data: z.input<Data>, detail?: string): ServalError
  readonly code: Code
  readonly kind: FailureKind
  readonly title: string
  readonly data: Data
}

export interface ProblemOptions<Data extends z.ZodType> {
  /** The family; the edge's one table gives it an HTTP status. */
  readonly kind: Exclude<FailureKind, 'internal' | 'deadline'>
  /** One sentence for people, the same for every occurrence. */
  readonly title: string
  /** What a program needs to react, never a secret. Default: nothing. */
  readonly data?: Data
  /** The same call may succeed later without a change. Default: false. */
  readonly retryable?: boolean
}

/**
 * Declares a problem. On the public wire it is an RFC 9457 document whose `code` is this code and whose `data`
 * members stand beside the standard ones.
 */
export const problem = <const Code extends string, Data extends z.ZodType = z.ZodUndefined>(
  code: Code,
  options: ProblemOptions<Data>,
): Problem<Code, Data> => {
  const entry = {
    kind: options.kind,
    title: options.title,
    retryable: options.retryable ?? false,
    ran: 'ran' as const,
  }
  const make = (data: z.input<Data>, detail?: string) =>
    new ServalError(code, entry, detail ?? options.title, data === undefined ? {} : { data })
  return Object.freeze(
    Object.assign(make, {
      code,
      kind: options.kind,
      title: options.title,
      data: (options.data ?? z.undefined()) as Data,
    }),
  )
}

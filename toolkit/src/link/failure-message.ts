import { failure, ServalError, type FailureKind, type Ran } from '../base/failure.ts'

const kinds: ReadonlySet<unknown> = new Set<FailureKind>([
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
])
const rans: ReadonlySet<unknown> = new Set<Ran>(['not-sent', 'unknown', 'ran'])

const isKind = (value: unknown): value is FailureKind => kinds.has(value)
const isRan = (value: unknown): value is Ran => rans.has(value)

/** A failure as it was thrown on the other side of a link, from its toJSON(). What is not one is the other side's fault. */
export const failureFrom = (message: unknown): ServalError => {
  const { code, kind, title, detail, retryable, ran, data } =
    typeof message === 'object' && message !== null
      ? (message as Readonly<Record<string, unknown>>)
      : {}
  if (typeof code !== 'string' || !isKind(kind) || typeof detail !== 'string' || !isRan(ran))
    return failure('internal', 'the other side of a link answered with what is not a failure')
  return new ServalError(
    code,
    { kind, title: typeof title === 'string' ? title : code, retryable: retryable === true, ran },
    detail,
    data === undefined ? {} : { data },
  )
}

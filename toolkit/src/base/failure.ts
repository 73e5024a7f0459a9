/**
 * What went wrong, in the words that a caller may rely on. `kind` is the family that decides how a
 * failure is answered (the edge has the one table from kind to HTTP status); `code` is the exact case.
 */
export type FailureKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'precondition-failed'
  | 'unprocessable'
  | 'limited'
  | 'internal'
  | 'unavailable'
  | 'deadline'

/**
 * Whether a failed call may have changed something: `not-sent` (it did not reach the other side),
 * `unknown` (it may have run), `ran` (the other side ran it and answered with this failure).
 */
export type Ran = 'not-sent' | 'unknown' | 'ran'

interface Entry {
  readonly kind: FailureKind
  readonly title: string
  /** The same call may succeed later without a change. */
  readonly retryable: boolean
  readonly ran: Ran
}

/** The toolkit's own failures: a closed list, explained one by one in docs/errors.md. */
export const failures = {
  'invalid-input': {
    kind: 'invalid',
    title: 'The input is not valid',
    retryable: false,
    ran: 'ran',
  },
  'idempotency-key-missing': {
    kind: 'invalid',
    title: 'This operation needs an Idempotency-Key',
    retryable: false,
    ran: 'ran',
  },
  'idempotency-key-reused': {
    kind: 'unprocessable',
    title: 'The Idempotency-Key was used with another input',
    retryable: false,
    ran: 'ran',
  },
  unauthenticated: {
    kind: 'unauthenticated',
    title: 'Who is calling is not known',
    retryable: false,
    ran: 'ran',
  },
  forbidden: {
    kind: 'forbidden',
    title: 'The caller may not do this',
    retryable: false,
    ran: 'ran',
  },
  'no-such-operation': {
    kind: 'not-found',
    title: 'There is no such operation',
    retryable: false,
    ran: 'not-sent',
  },
  'precondition-failed': {
    kind: 'precondition-failed',
    title: 'It is not as the If-Match header says',
    retryable: false,
    ran: 'ran',
  },
  conflict: {
    kind: 'conflict',
    title: 'Others changed the same thing too often at this moment',
    retryable: true,
    ran: 'ran',
  },
  'rate-limited': {
    kind: 'limited',
    title: 'Too many requests in too short a time',
    retryable: true,
    ran: 'not-sent',
  },
  'deadline-exceeded': {
    kind: 'deadline',
    title: 'The call was not answered in its time',
    retryable: true,
    ran: 'unknown',
  },
  cancelled: { kind: 'deadline', title: 'The caller gave up', retryable: false, ran: 'unknown' },
  unavailable: {
    kind: 'unavailable',
    title: 'The service cannot be reached now',
    retryable: true,
    ran: 'not-sent',
  },
  overloaded: {
    kind: 'unavailable',
    title: 'The service has too much to do now',
    retryable: true,
    ran: 'not-sent',
  },
  'breaker-open': {
    kind: 'unavailable',
    title: 'The service failed too often; calls wait a moment',
    retryable: true,
    ran: 'not-sent',
  },
  draining: {
    kind: 'unavailable',
    title: 'This host is stopping',
    retryable: true,
    ran: 'not-sent',
  },
  'unknown-outcome': {
    kind: 'unavailable',
    title: 'The connection was lost; the change may have been made',
    retryable: true,
    ran: 'unknown',
  },
  'store-unavailable': {
    kind: 'unavailable',
    title: 'The database cannot be reached now',
    retryable: true,
    ran: 'not-sent',
  },
  'store-damaged': {
    kind: 'internal',
    title: 'The database reports that it is damaged',
    retryable: false,
    ran: 'unknown',
  },
  internal: {
    kind: 'internal',
    title: 'Something unexpected went wrong',
    retryable: false,
    ran: 'unknown',
  },
  'invalid-output': {
    kind: 'internal',
    title: 'A handler returned what its contract does not allow',
    retryable: false,
    ran: 'ran',
  },
  'second-step': {
    kind: 'internal',
    title: 'A handler runs at most one step',
    retryable: false,
    ran: 'ran',
  },
  'call-in-step': { kind: 'internal', title: 'A step calls nobody', retryable: false, ran: 'ran' },
  'two-aggregates': {
    kind: 'internal',
    title: 'A step of this repository touches one aggregate only',
    retryable: false,
    ran: 'ran',
  },
  'cursor-too-old': {
    kind: 'internal',
    title: 'The log no longer holds what this subscription has not read',
    retryable: false,
    ran: 'ran',
  },
  misconfigured: {
    kind: 'internal',
    title: 'A setting is wrong',
    retryable: false,
    ran: 'not-sent',
  },
  'cannot-start': {
    kind: 'internal',
    title: 'The host cannot start',
    retryable: false,
    ran: 'not-sent',
  },
} as const satisfies Record<string, Entry>

export type FailureCode = keyof typeof failures

export interface FailureOptions {
  readonly cause?: unknown
  readonly data?: unknown
  readonly ran?: Ran
  readonly retryable?: boolean
}

/** The one error of the toolkit and of declared problems. Told apart by `code`, never by message. */
export class ServalError extends Error {
  override readonly name = 'ServalError'
  readonly code: string
  readonly kind: FailureKind
  readonly title: string
  readonly retryable: boolean
  readonly ran: Ran
  readonly data: unknown

  constructor(code: string, entry: Entry, detail: string, options: FailureOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.kind = entry.kind
    this.title = entry.title
    this.retryable = options.retryable ?? entry.retryable
    this.ran = options.ran ?? entry.ran
    this.data = options.data
  }

  toJSON() {
    const { code, kind, title, message, retryable, ran, data } = this
    return {
      code,
      kind,
      title,
      detail: message,
      retryable,
      ran,
      ...(data === undefined ? {} : { data }),
    }
  }
}

/** Makes one of the toolkit's own failures. `detail` names the field, the range and the value. */
export const failure = (
  code: FailureCode,
  detail?: string,
  options?: FailureOptions,
): ServalError => new ServalError(code, failures[code], detail ?? failures[code].title, options)

/** The failure inside anything thrown: itself if it is ours, else `internal` with the cause. */
export const asFailure = (thrown: unknown): ServalError =>
  thrown instanceof ServalError ? thrown : failure('internal', undefined, { cause: thrown })

/** True for what says nothing about the call itself: the other side, its store or the time was missing. */
export const isUnavailability = (error: ServalError): boolean =>
  error.kind === 'unavailable' || error.kind === 'deadline'

/** Why a signal aborted, as an error. */
export const reasonOf = (signal: AbortSignal | undefined): Error => {
  const reason: unknown = signal?.reason
  return reason instanceof Error ? reason : failure('cancelled', undefined, { cause: reason })
}

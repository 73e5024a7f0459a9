import { failures, type FailureKind, type ServalError } from '../base/failure.ts'
import type { InputError } from '../contract/index.ts'
import type { HttpReply } from '../link/http.ts'
import { standardMembers } from '../link/problem-document.ts'

/** The one table from a failure's kind to an HTTP status. */
export const statusOf: Readonly<Record<FailureKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'precondition-failed': 412,
  unprocessable: 422,
  limited: 429,
  internal: 500,
  unavailable: 503,
  deadline: 504,
}

/** What HTTP itself refuses, by status: the code and the title of its problem document. */
export const httpRefusals: Readonly<Record<number, readonly [code: string, title: string]>> = {
  400: ['bad-request', 'The request is not HTTP as it should be'],
  404: ['no-such-path', 'There is nothing at this address'],
  405: ['method-not-allowed', 'This address does not take this method'],
  406: ['not-acceptable', 'Replies here are JSON'],
  408: ['request-timeout', 'The request was not complete in time'],
  413: ['body-too-large', 'The body is too large'],
  414: ['target-too-long', 'The address is too long'],
  415: ['unsupported-media-type', 'Bodies here are JSON'],
  421: ['misdirected', 'This server does not answer for that host'],
  431: ['headers-too-large', 'The headers are too large'],
  500: ['internal', 'Something unexpected went wrong'],
  501: ['not-supported', 'The server does not support this'],
  505: ['version-not-supported', 'This version of HTTP is not supported'],
}

interface ProblemDocument {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail?: string | undefined
  readonly instance?: string | undefined
  readonly correlationId: string
  /** Further members: what the problem's declaration says a program needs. */
  readonly members?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

/** A problem document (RFC 9457) as a reply. */
export const problemReply = (problem: ProblemDocument): HttpReply => {
  const { status, code, title, detail, instance, correlationId } = problem
  const document = {
    type: `urn:serval:problem:${code}`,
    title,
    status,
    detail,
    instance,
    code,
    correlationId,
    ...problem.members,
  }
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': correlationId,
      ...problem.headers,
    },
    body: JSON.stringify(document),
  }
}

const membersOf = (error: ServalError): Record<string, unknown> =>
  typeof error.data === 'object' && error.data !== null
    ? Object.fromEntries(Object.entries(error.data).filter(([name]) => !standardMembers.has(name)))
    : {}

const headersOf = (error: ServalError): Record<string, string> => {
  if (error.kind === 'unauthenticated') return { 'www-authenticate': 'Bearer' }
  if (error.kind === 'limited' || error.kind === 'unavailable') {
    const after = Number(
      (error.data as { retryAfterSeconds?: unknown } | null | undefined)?.retryAfterSeconds ?? 1,
    )
    return {
      'retry-after': String(after >= 0 && after <= Number.MAX_SAFE_INTEGER ? Math.ceil(after) : 1),
    }
  }
  return {}
}

/**
 * Whether a failure's words are about the system itself: unexpected ones, and the toolkit's own about services and stores that
 * cannot be reached, which name them.
 */
export const isInside = ({ kind, code }: ServalError): boolean =>
  kind === 'internal' ||
  ((kind === 'unavailable' || kind === 'deadline') && Object.hasOwn(failures, code))

/** A failure as a reply. What is inside the system is told to the log, never to the client. */
export const failureReply = (
  error: ServalError,
  about: { readonly instance: string; readonly correlationId: string },
): HttpReply =>
  problemReply({
    status: statusOf[error.kind],
    code: error.kind === 'internal' ? 'internal' : error.code,
    title: error.kind === 'internal' ? failures.internal.title : error.title,
    detail: isInside(error) ? undefined : error.message,
    ...about,
    members: isInside(error) ? {} : membersOf(error),
    headers: headersOf(error),
  })

/** A refusal of HTTP itself as a reply. */
export const refusalReply = (
  status: number,
  about: {
    readonly instance?: string
    readonly correlationId: string
    readonly detail?: string
    readonly errors?: readonly InputError[]
    readonly headers?: Record<string, string>
  },
): HttpReply => {
  const [code, title] = httpRefusals[status] ?? ['bad-request', 'The request was refused']
  const { errors, ...rest } = about
  return problemReply({
    status,
    code,
    title,
    ...rest,
    ...(errors === undefined ? {} : { members: { errors } }),
  })
}

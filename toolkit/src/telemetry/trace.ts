/** What ties together everything that one request led to, across services, messages and logs. */
export interface Trace {
  /** The client's `x-request-id`, or one that the edge made. */
  readonly correlationId: string
}

const form = /^[A-Za-z0-9._-]{1,64}$/

/** A client's request id, if it may be kept: 1 to 64 letters, digits, dots, underscores and hyphens. */
export const acceptableRequestId = (given: string | undefined): string | undefined =>
  given !== undefined && form.test(given) ? given : undefined

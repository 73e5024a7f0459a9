import { failure } from '../base/failure.ts'
import {
  fillPath,
  headerFields,
  pathParameters,
  validOutput,
  type HttpBinding,
  type Operation,
} from '../contract/index.ts'

/** An operation's call as an HTTP request, by its binding. */
export interface BindingRequest {
  /** With the query. */
  readonly path: string
  readonly body: string | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** Throws `invalid-input` for a value that cannot stand in the path. */
export const requestOf = (target: string, http: HttpBinding, given: unknown): BindingRequest => {
  const input = (given ?? {}) as Readonly<Record<string, unknown>>
  const inPath = new Set(pathParameters(http.path))
  for (const field of inPath) {
    const value = input[field]
    // URLs drop these segments, so that the request would go elsewhere.
    if ([undefined, null, '', '.', '..'].includes(value as string | null | undefined))
      throw failure(
        'invalid-input',
        `${target}: ${JSON.stringify(value) ?? 'undefined'} cannot stand for :${field} in the path ${http.path}`,
        { ran: 'not-sent' },
      )
  }
  const inHeader = headerFields(http)
  const rest = Object.entries(input).filter(
    ([field, value]) => !inPath.has(field) && !inHeader.includes(field) && value !== undefined,
  )
  const path = fillPath(http.path, input)
  const match = inHeader.includes('ifMatch') ? input['ifMatch'] : undefined
  const headers: Record<string, string> = typeof match === 'string' ? { 'if-match': match } : {}
  if (http.method === 'GET' || http.method === 'DELETE') {
    const query = new URLSearchParams(
      rest.map(([field, value]) => [field, String(value)]),
    ).toString()
    return { path: query === '' ? path : `${path}?${query}`, body: undefined, headers }
  }
  return {
    path,
    body: JSON.stringify(Object.fromEntries(rest)),
    headers: { ...headers, 'content-type': 'application/json' },
  }
}

/** What a success says, as the contract has it. Throws `invalid-output`. */
export const valueFrom = (operation: Operation, text: string, target: string): unknown => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw failure('invalid-output', `${target}: the answer is not JSON`, { cause })
  }
  return validOutput(operation.output, value, target)
}

import { systemEnv, type Env } from '../base/env.ts'
import { failure, ServalError, type FailureKind, type Ran } from '../base/failure.ts'
import {
  fillPath,
  headerFields,
  pathParameters,
  validOutput,
  type CallOptions,
  type Client,
  type Contract,
  type HttpBinding,
  type Operation,
} from '../contract/index.ts'

export interface HttpClientOptions {
  /** Scheme, host and port, such as `http://127.0.0.1:8080`. */
  readonly address: string
  /** The access token to send, asked for each call. */
  readonly token?: () => string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Default: the platform's. */
  readonly fetch?: (url: URL, init: RequestInit) => Promise<Response>
  /** Default: the platform's. */
  readonly env?: Env
}

const kinds: Readonly<Record<number, FailureKind>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  412: 'precondition-failed',
  422: 'unprocessable',
  429: 'limited',
  503: 'unavailable',
  504: 'deadline',
}

const standardMembers = new Set([
  'type',
  'title',
  'status',
  'detail',
  'instance',
  'code',
  'correlationId',
])

const objectOf = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : {}
  } catch {
    // A proxy in between may answer with something else; the status still says what happened.
    return {}
  }
}

/** A problem document as the failure that it tells of; its own members are the failure's data. */
const problemOf = (status: number, text: string): ServalError => {
  const document = objectOf(text)
  const kind = kinds[status] ?? (status < 500 ? 'invalid' : 'internal')
  const retryable = kind === 'unavailable' || kind === 'limited' || kind === 'deadline'
  const ran: Ran = status >= 500 ? 'unknown' : 'ran'
  const { code, title, detail } = document
  const words = typeof title === 'string' ? title : `The server answered ${status}`
  const members = Object.entries(document).filter(([name]) => !standardMembers.has(name))
  return new ServalError(
    typeof code === 'string' ? code : `http-${status}`,
    { kind, title: words, retryable, ran },
    typeof detail === 'string' ? detail : words,
    members.length === 0 ? {} : { data: Object.fromEntries(members) },
  )
}

const requestOf = (target: string, http: HttpBinding, input: Readonly<Record<string, unknown>>) => {
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
  return { path, body: JSON.stringify(Object.fromEntries(rest)), headers }
}

type Options = HttpClientOptions & { readonly env: Env }

const send = async (
  contract: Contract,
  name: string,
  input: unknown,
  options: Options,
  call: CallOptions,
) => {
  const target = `${contract.name}.${name}`
  const operation = contract.operations[name]
  if (operation?.http === undefined)
    throw failure('no-such-operation', `${target} has no http binding`)
  const { path, body, headers } = requestOf(
    target,
    operation.http,
    (input ?? {}) as Readonly<Record<string, unknown>>,
  )
  const token = options.token?.()
  const timeout = new AbortController()
  const forget = options.env.after(call.deadlineMs ?? operation.deadlineMs + 1_000, () =>
    timeout.abort(),
  )
  const ask = options.fetch ?? fetch
  try {
    const response = await ask(new URL(path, options.address), {
      method: operation.http.method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(call.key === undefined ? {} : { 'idempotency-key': call.key }),
        ...headers,
        ...options.headers,
      },
      signal:
        call.signal === undefined ? timeout.signal : AbortSignal.any([timeout.signal, call.signal]),
      ...(body === undefined ? {} : { body }),
    })
    const text = await response.text()
    if (!response.ok) throw problemOf(response.status, text)
    return text === '' ? undefined : readReply(operation, text, target)
  } catch (cause) {
    if (cause instanceof ServalError) throw cause
    if (timeout.signal.aborted)
      throw failure('deadline-exceeded', `${target}: no answer from ${options.address}`, { cause })
    if (call.signal?.aborted === true)
      throw failure('cancelled', `${target}: the caller gave up`, { cause })
    throw failure('unavailable', `${target}: ${options.address} cannot be reached`, {
      cause,
      ran: 'unknown',
    })
  } finally {
    forget()
  }
}

const readReply = (operation: Operation, text: string, target: string): unknown => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw failure('invalid-output', `${target}: the answer is not JSON`, { cause })
  }
  return validOutput(operation.output, value, target)
}

// oxlint-disable-next-line require-yield -- It is what a feed's caller iterates over, to be told.
async function* noFeed(target: string): AsyncIterable<never> {
  throw failure('no-such-operation', `${target} is a feed; read it with fetch`)
}

/**
 * A typed client of a contract's public operations over HTTP: for browsers, scripts and other systems. It does not retry: a caller that
 * wants to sends the same `key` again.
 */
export const httpClient = <C extends Contract>(
  contract: C,
  options: HttpClientOptions,
): Client<C> => {
  const set: Options = { env: systemEnv(), ...options }
  return Object.fromEntries(
    Object.entries(contract.operations).map(([name, { kind }]) => [
      name,
      kind === 'feed'
        ? () => noFeed(`${contract.name}.${name}`)
        : (input: unknown, call: CallOptions = {}) => send(contract, name, input, set, call),
    ]),
  ) as Client<C>
}

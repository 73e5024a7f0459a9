import { failure, ServalError, type FailureKind, type Ran } from '../base/failure.ts'
import { fillPath, pathParameters, type CallOptions, type Client, type Contract, type HttpBinding } from '../contract/index.ts'

export interface HttpClientOptions {
  /** Scheme, host and port, such as `http://127.0.0.1:8080`. */
  readonly address: string
  /** The access token to send, asked for each call. */
  readonly token?: () => string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Default: the platform's. */
  readonly fetch?: typeof fetch
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

/** A problem document as the failure that it tells of; its members are the failure's data. */
const problemOf = async (response: Response): Promise<ServalError> => {
  const text = await response.text()
  let document: Record<string, unknown> = {}
  try {
    document = JSON.parse(text) as Record<string, unknown>
  } catch {
    // A proxy in between may answer with something else; the status still says what happened.
  }
  const kind = kinds[response.status] ?? (response.status < 500 ? 'invalid' : 'internal')
  const retryable = kind === 'unavailable' || kind === 'limited' || kind === 'deadline'
  const ran: Ran = response.status >= 500 ? 'unknown' : 'ran'
  const { code, title, detail } = document
  const words = typeof title === 'string' ? title : `The server answered ${response.status}`
  return new ServalError(
    typeof code === 'string' ? code : `http-${response.status}`,
    { kind, title: words, retryable, ran },
    typeof detail === 'string' ? detail : words,
    { data: document },
  )
}

const requestOf = (http: HttpBinding, input: Readonly<Record<string, unknown>>) => {
  const inPath = new Set(pathParameters(http.path))
  const rest = Object.entries(input).filter(([field, value]) => !inPath.has(field) && value !== undefined)
  const path = fillPath(http.path, input)
  if (http.method === 'GET' || http.method === 'DELETE') {
    const query = new URLSearchParams(rest.map(([field, value]) => [field, String(value)])).toString()
    return { path: query === '' ? path : `${path}?${query}`, body: undefined }
  }
  return { path, body: rest.length === 0 ? undefined : JSON.stringify(Object.fromEntries(rest)) }
}

const send = async (contract: Contract, name: string, input: unknown, options: HttpClientOptions, call: CallOptions) => {
  const operation = contract.operations[name]
  if (operation?.http === undefined) throw failure('no-such-operation', `${contract.name}.${name} has no http binding`)
  const { path, body } = requestOf(operation.http, (input ?? {}) as Readonly<Record<string, unknown>>)
  const token = options.token?.()
  const timeout = AbortSignal.timeout(call.deadlineMs ?? operation.deadlineMs + 1_000)
  const ask = options.fetch ?? fetch
  let response: Response
  try {
    response = await ask(new URL(path, options.address), {
      method: operation.http.method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(call.key === undefined ? {} : { 'idempotency-key': call.key }),
        ...options.headers,
      },
      signal: call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]),
      ...(body === undefined ? {} : { body }),
    })
  } catch (cause) {
    if (timeout.aborted) throw failure('deadline-exceeded', `${contract.name}.${name}: no answer from ${options.address}`, { cause })
    throw failure('unavailable', `${contract.name}.${name}: ${options.address} cannot be reached`, { cause, ran: 'unknown' })
  }
  if (!response.ok) throw await problemOf(response)
  const text = await response.text()
  return text === '' ? undefined : operation.output.parse(JSON.parse(text))
}

/**
 * A typed client of a contract's public operations over HTTP: for browsers, scripts and other systems. It does not retry: a caller that
 * wants to sends the same `key` again.
 */
export const httpClient = <C extends Contract>(contract: C, options: HttpClientOptions): Client<C> =>
  Object.fromEntries(
    Object.keys(contract.operations).map((name) => [name, (input: unknown, call: CallOptions = {}) => send(contract, name, input, options, call)]),
  ) as Client<C>

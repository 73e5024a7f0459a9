import { systemEnv, type Env } from '../base/env.ts'
import { failure, ServalError, type FailureKind, type Ran } from '../base/failure.ts'
import type { CallOptions, Client, Contract } from '../contract/index.ts'
import { requestOf, valueFrom } from './binding-request.ts'
import { problemDocument } from './problem-document.ts'

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

/** A problem document as the failure that it tells of; its own members are the failure's data. */
const failureFrom = (status: number, text: string): ServalError => {
  const { code, title, detail, members } = problemDocument(text)
  const kind = kinds[status] ?? (status < 500 ? 'invalid' : 'internal')
  const retryable = kind === 'unavailable' || kind === 'limited' || kind === 'deadline'
  const ran: Ran = status >= 500 ? 'unknown' : 'ran'
  const words = title ?? `The server answered ${status}`
  return new ServalError(
    code ?? `http-${status}`,
    { kind, title: words, retryable, ran },
    detail ?? words,
    members === undefined ? {} : { data: members },
  )
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
  const { path, body, headers } = requestOf(target, operation.http, input)
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
    if (!response.ok) throw failureFrom(response.status, text)
    return text === '' ? undefined : valueFrom(operation, text, target)
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

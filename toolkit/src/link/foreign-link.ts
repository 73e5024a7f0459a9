import { failure, reasonOf, type ServalError } from '../base/failure.ts'
import { validOutput, type Contract, type Operation, type Problem } from '../contract/index.ts'
import { abortSignal } from '../guard/index.ts'
import { requestOf, valueFrom } from './binding-request.ts'
import { textWithin } from './bounded.ts'
import type { Call, Link } from './call.ts'
import { problemDocument, type ProblemDocument } from './problem-document.ts'

/*
 * Calls to a service that speaks HTTP and knows nothing of Serval, by the bindings of its contract. It hears who we are from the
 * setup's headers, and nothing of who calls; its answers are believed as far as the contract goes.
 */

export interface ForeignOptions {
  /** Scheme, host and port, and the path that all operations begin with, such as `https://api.example.org/v2`. */
  readonly address: string
  /** What a person sets to change the address, for messages. */
  readonly setting?: string
  /** Sent with every request, such as credentials. A function is asked before each, for those that are renewed. */
  readonly headers?: ForeignHeaders | (() => ForeignHeaders | Promise<ForeignHeaders>)
  /**
   * Declared problems by how the service tells of them: by status, or by the `code` or the end of the `type` of its problem
   * document. Codes that are the problem's own need no entry.
   */
  readonly problems?: Readonly<Record<string, Problem>>
  /** Of a reply, decompressed; default 1 MiB. */
  readonly maxBodyBytes?: number
}

export type ForeignHeaders = Readonly<Record<string, string>>

/** What tells that no connection came about: the request cannot have been read. */
const unconnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
])

const jsonType = /^application\/(json|[\w.+-]+\+json)\s*(;|$)/i

const wrong = (contract: Contract, what: string) =>
  failure('misconfigured', `the foreign service ${contract.name}: ${what}`)

const addressFrom = (contract: Contract, { address, setting }: ForeignOptions): string => {
  const named = setting === undefined ? 'its address' : setting
  const url = URL.parse(address)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw wrong(contract, `${named} must be a URL that begins with https:// or http://`)
  if (url.username + url.password + url.search + url.hash !== '')
    throw wrong(contract, `${named} must be a URL without user, password, ? and #`)
  return url.href.replace(/\/+$/, '')
}

/** Throws for a header that HTTP does not take, with its name and without its value: it may be a secret. */
const addHeaders = (to: Headers, given: ForeignHeaders, contract: Contract): Headers => {
  for (const [name, value] of Object.entries(given))
    try {
      to.set(name, value)
    } catch {
      throw wrong(contract, `its header ${JSON.stringify(name)} is not one that HTTP takes`)
    }
  return to
}

const checked = (contract: Contract, options: ForeignOptions): void => {
  const operations = Object.entries(contract.operations)
  for (const [name, { kind, http }] of operations) {
    if (http === undefined) throw wrong(contract, `its operation ${name} has no http binding`)
    if (kind === 'feed') throw wrong(contract, `its operation ${name} is a feed`)
  }
  const declared = new Set(
    operations.flatMap(([, { problems }]) => problems.map((one) => one.code)),
  )
  for (const [said, { code }] of Object.entries(options.problems ?? {}))
    if (!declared.has(code))
      throw wrong(contract, `${said} stands for ${code}, which none of its operations declares`)
  const { maxBodyBytes = 1 } = options
  if (!Number.isInteger(maxBodyBytes) || maxBodyBytes < 1)
    throw wrong(contract, `maxBodyBytes is a whole number from 1; it is ${maxBodyBytes}`)
  if (typeof options.headers === 'object') addHeaders(new Headers(), options.headers, contract)
}

const codeOf = (error: unknown): string | undefined => {
  if (typeof error !== 'object' || error === null) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return 'cause' in error ? codeOf(error.cause) : undefined
}

const lost = (call: Call, address: string, cause: unknown): Error => {
  if (call.signal.aborted) return reasonOf(abortSignal(call.signal))
  return unconnected.has(codeOf(cause) ?? '')
    ? failure('unavailable', `${call.target}: ${address} cannot be reached`, { cause })
    : failure('unknown-outcome', `${call.target}: the connection to ${address} broke`, { cause })
}

/** Seconds; a date counts from the reply's own (RFC 9110, 10.2.3). */
const retryAfter = (headers: Headers): { readonly data?: unknown } => {
  const said = headers.get('retry-after') ?? ''
  const seconds = !said.endsWith('GMT')
    ? Number(/^\d{1,9}$/.exec(said)?.[0])
    : (Date.parse(said) - Date.parse(headers.get('date') ?? '')) / 1_000
  return seconds >= 0 ? { data: { retryAfterSeconds: Math.ceil(seconds) } } : {}
}

/** What a service says that is no declared problem: what it refused is a fault of the contract or of the setup, never of who called. */
const undeclared = (words: string, { status, headers }: Response, said: string): ServalError => {
  const told = `${words} answered ${status}${said}`
  if (status === 429) return failure('overloaded', told, retryAfter(headers))
  if (status === 408 || status >= 500) return failure('unknown-outcome', told, retryAfter(headers))
  if (status < 400)
    return failure(
      'internal',
      `${told}, which is neither an answer nor a problem; it is not followed`,
    )
  const credentials = [401, 403, 407].includes(status) ? '; are the setup’s credentials right?' : ''
  return failure('internal', told + credentials, { ran: 'ran' })
}

const sayable = /^[\w.:/-]{1,100}$/

/** The problem with its own words: the service's may be meant for us alone. */
const declaredBy = (problem: Problem, { members }: ProblemDocument, words: string): ServalError => {
  for (const given of [members, undefined]) {
    const data = problem.data.safeParse(given)
    if (data.success) return problem(data.data)
  }
  return failure('invalid-output', `${words} answered ${problem.code} without what belongs to it`)
}

/** A contract at an address. */
interface Place {
  readonly contract: Contract
  readonly address: string
  readonly headers: ForeignOptions['headers']
  readonly problems: ReadonlyMap<string, Problem>
  readonly maxBodyBytes: number
}

const headersOf = async (
  { contract, headers = {} }: Place,
  call: Call,
  bound: ForeignHeaders,
): Promise<Headers> => {
  const all = new Headers({ accept: 'application/json, application/problem+json' })
  try {
    addHeaders(all, typeof headers === 'function' ? await headers() : headers, contract)
  } catch (cause) {
    throw failure('unavailable', `${call.target}: there are no headers for the request`, { cause })
  }
  if (call.key !== undefined) all.set('idempotency-key', call.key)
  all.set('x-request-id', call.trace.correlationId)
  return addHeaders(all, bound, contract)
}

const valueOf = (
  { maxBodyBytes }: Place,
  operation: Operation,
  { target }: Call,
  { headers }: Response,
  text: string | undefined,
): unknown => {
  if (text === undefined)
    throw failure('invalid-output', `${target}: the answer has more than ${maxBodyBytes} bytes`)
  if (text === '') return validOutput(operation.output, undefined, target)
  const type = headers.get('content-type') ?? ''
  if (!jsonType.test(type))
    throw failure(
      'invalid-output',
      `${target}: the answer’s content type is ${JSON.stringify(type.slice(0, 100))}, not JSON`,
    )
  return valueFrom(operation, text, target)
}

const failureOf = (
  { problems, address }: Place,
  operation: Operation,
  { target }: Call,
  response: Response,
  text: string,
): ServalError => {
  const document = problemDocument(text)
  const { code, type } = document
  const problem = [code, /[^/:#]+$/.exec(type ?? '')?.[0], String(response.status)]
    .flatMap((name) => (name === undefined ? [] : [name, problems.get(name)?.code]))
    .map((said) => operation.problems.find((declared) => declared.code === said))
    .find((declared) => declared !== undefined)
  const words = `${target}: ${address}`
  if (problem !== undefined) return declaredBy(problem, document, words)
  const said = code ?? type ?? ''
  return undeclared(words, response, sayable.test(said) ? ` (${said})` : '')
}

/** The link to a foreign service. Throws `misconfigured` for a contract that HTTP bindings cannot carry. */
export const foreignLink = (contract: Contract, options: ForeignOptions): Link => {
  checked(contract, options)
  const place: Place = {
    contract,
    address: addressFrom(contract, options),
    headers: options.headers,
    problems: new Map(Object.entries(options.problems ?? {})),
    maxBodyBytes: options.maxBodyBytes ?? 1024 * 1024,
  }
  return {
    call: async (call) => {
      const operation = contract.operations[call.operation]
      if (operation?.http === undefined)
        throw failure('no-such-operation', `${call.target} does not exist`)
      const { path, body, headers } = requestOf(call.target, operation.http, call.input)
      const request = {
        method: operation.http.method,
        headers: await headersOf(place, call, headers),
        redirect: 'manual',
        // Over a connection that breaks when it is used again, Bun (1.4.5) sends a PUT or DELETE a second time by itself.
        keepalive: operation.kind === 'query',
        signal: abortSignal(call.signal),
        ...(body === undefined ? {} : { body }),
      } as const
      let response: Response
      let text: string | undefined
      try {
        response = await fetch(place.address + path, request)
        text = response.body === null ? '' : await textWithin(response.body, place.maxBodyBytes)
      } catch (cause) {
        throw lost(call, place.address, cause)
      }
      if (!response.ok) throw failureOf(place, operation, call, response, text ?? '')
      return { value: valueOf(place, operation, call, response, text) }
    },
  }
}

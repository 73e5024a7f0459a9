import { failure } from '../base/failure.ts'
import type { Caller } from '../link/call.ts'
import type { HttpRequest } from '../link/http.ts'
import type { Identify } from './edge.ts'

/** Verifies an access token; undefined for one that is not valid, whatever the reason. */
export type Authenticate = (token: string) => Promise<Extract<Caller, { kind: 'user' }> | undefined>

/** Users by their bearer token (RFC 6750). */
export const bearer =
  (authenticate: Authenticate): Identify =>
  async (request) => {
    const header = request.header('authorization')
    if (header === undefined) return undefined
    const token = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(header)?.[1]
    const caller = token === undefined ? undefined : await authenticate(token)
    if (caller === undefined) throw failure('unauthenticated', 'The access token is not valid')
    return caller
  }

/** Compares without telling by time how much agreed. */
const same = (a: string, b: string): boolean => {
  let different = a.length ^ b.length
  for (let at = 0; at < a.length; at++)
    different |= a.charCodeAt(at) ^ b.charCodeAt(at % Math.max(1, b.length))
  return different === 0
}

/** Whether a request bears the operator's key. */
export const bearsOperatorKey =
  (key: string) =>
  (request: HttpRequest): boolean => {
    const given = request.header('x-serval-operator')
    return given !== undefined && same(given, key)
  }

/** The operator by the key that is printed at start. */
export const operatorKey =
  (key: string): Identify =>
  async (request) => {
    const given = request.header('x-serval-operator')
    if (given === undefined) return undefined
    if (!same(given, key)) throw failure('unauthenticated', 'The operator’s key is not this one')
    return { kind: 'operator' }
  }

import type { z } from 'zod'
import { failure } from '../base/failure.ts'
import { sha256 } from '../base/hash.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The strong entity tag (RFC 9110, 8.8.3) of a representation's bytes, or its text: half of their SHA-256. */
export const entityTag = (body: string | Uint8Array): string => {
  const whole = sha256(body, 'base64url')
  // Of the 22nd character's six bits, two belong to the first half.
  const last = 'AQgw'.charAt(alphabet.indexOf(whole.charAt(21)) >> 4)
  return `"${whole.slice(0, 21)}${last}"`
}

/** Whether a list of entity tags, or `*`, has this one. If-None-Match compares weakly, If-Match strongly (RFC 9110, 8.8.3.2). */
export const namesTag = (header: string, tag: string, compare: 'weak' | 'strong'): boolean =>
  header.split(',').some((text) => {
    const one = text.trim()
    return one === '*' || (compare === 'weak' ? one.replace(/^W\//, '') : one) === tag
  })

/**
 * For a handler of an operation bound with `ifMatch`: throws `precondition-failed` unless the client saw the thing as it
 * is now. `schema` is the output of the operation that reads it with an ETag, `value` what that would answer. Called
 * inside the step, with a guarded save behind it. Undefined, for a client that sent no If-Match, always passes.
 */
export const requireMatch = <S extends z.ZodType>(
  ifMatch: string | undefined,
  schema: S,
  value: z.input<S>,
): void => {
  if (ifMatch === undefined) return
  const body = JSON.stringify(schema.parse(value))
  if (namesTag(ifMatch, entityTag(body), 'strong')) return
  throw failure(
    'precondition-failed',
    'It was changed since; read it again, and send its new ETag as If-Match',
  )
}

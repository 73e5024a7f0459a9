import type { z } from 'zod'
import { failure } from '../base/failure.ts'

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')

/** The strong entity tag (RFC 9110, 8.8.3) of a representation's bytes: half of their SHA-256. */
export const entityTag = async (body: Uint8Array<ArrayBuffer>): Promise<string> =>
  `"${base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', body)).slice(0, 16))}"`

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
export const requireMatch = async <S extends z.ZodType>(
  ifMatch: string | undefined,
  schema: S,
  value: z.input<S>,
): Promise<void> => {
  if (ifMatch === undefined) return
  const body = new TextEncoder().encode(JSON.stringify(schema.parse(value)))
  if (namesTag(ifMatch, await entityTag(body), 'strong')) return
  throw failure(
    'precondition-failed',
    'It was changed since; read it again, and send its new ETag as If-Match',
  )
}

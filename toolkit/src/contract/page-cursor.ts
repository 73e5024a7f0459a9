import type { z } from 'zod'
import { failure } from '../base/failure.ts'

/** Where a page of a list ends, as a text that clients hand back and read nothing into. */
export interface PageCursor<S extends z.ZodType> {
  encode(place: z.output<S>): string
  /** Refuses whatever `encode` did not make: `invalid-input`, at `/cursor`. */
  decode(cursor: string): z.output<S>
}

const decoded = (cursor: string): unknown => {
  if (!/^[\w-]+$/.test(cursor)) return undefined
  try {
    return JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    return undefined
  }
}

/**
 * Cursors for keyset pagination: the place of a page's last item, as JSON in base64url (RFC 4648, section 5). The place
 * is made of ASCII texts and numbers, and its schema knows no transforms. A cursor is not secret and not signed.
 */
export const pageCursor = <S extends z.ZodType>(place: S): PageCursor<S> => {
  const encode = (at: z.output<S>) =>
    btoa(JSON.stringify(at)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  const read = (cursor: string) => {
    try {
      return place.safeParse(decoded(cursor))
    } catch {
      // Zod throws for some values that only a stranger makes: see validate.ts.
      return undefined
    }
  }
  return {
    encode,
    decode: (cursor) => {
      const parsed = read(cursor)
      if (parsed?.success === true && encode(parsed.data) === cursor) return parsed.data
      const message = 'This is not a cursor that a list answered with'
      throw failure('invalid-input', `/cursor: ${message}`, {
        data: { errors: [{ pointer: '/cursor', message }] },
      })
    },
  }
}

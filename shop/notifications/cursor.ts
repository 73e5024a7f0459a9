import { failure } from 'serval'
import { z } from 'zod'

/** Where a list of notifications goes on: after this one. */
const After = z.object({
  /** Milliseconds since the epoch, up to the year 9999. */
  at: z.int().min(0).max(253_402_300_799_999),
  id: z.string().regex(/^[!-~]{1,64}$/),
})
export type After = z.output<typeof After>

/** A cursor is JSON in base64url (RFC 4648, 5); to clients it is opaque. */
export const cursorText = (after: After): string =>
  btoa(JSON.stringify({ at: after.at, id: after.id }))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

const decoded = (cursor: string): unknown => {
  if (!/^[\w-]+$/.test(cursor)) return undefined
  try {
    return JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    // Not base64, or not JSON: refused by the schema below.
    return undefined
  }
}

export const parseCursor = (cursor: string): After => {
  const parsed = After.safeParse(decoded(cursor))
  if (parsed.success) return parsed.data
  const message = 'A cursor is what an earlier answer gave as next'
  throw failure('invalid-input', `/cursor: ${message}`, {
    data: { errors: [{ pointer: '/cursor', message }] },
  })
}

import { failure } from 'serval'

/** Where a page of a list ends, as an opaque text: clients hand it back and read nothing into it. */
export const encodeCursor = (after: string): string =>
  btoa(JSON.stringify([after])).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

/** The inverse; anything that was not made by `encodeCursor` is refused. */
export const decodeCursor = (cursor: string | undefined): string | undefined => {
  if (cursor === undefined) return undefined
  try {
    const [after] = JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/'))) as unknown[]
    if (typeof after === 'string' && encodeCursor(after) === cursor) return after
  } catch {
    // Told below, like any other text that is no cursor.
  }
  throw failure('invalid-input', '/cursor: This is not a cursor of this list', {
    data: { errors: [{ pointer: '/cursor', message: 'This is not a cursor of this list' }] },
  })
}

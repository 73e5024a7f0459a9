import { pageCursor } from 'serval'
import { z } from 'zod'

/** A name in ASCII, as encodeURIComponent writes it: cursors hold nothing else. */
const isEncoded = (text: string): boolean => {
  try {
    const name = decodeURIComponent(text)
    return !name.includes('\0') && encodeURIComponent(name) === text
  } catch {
    return false
  }
}

const pages = pageCursor(z.strictObject({ after: z.string().refine(isEncoded) }))

/** Cursors of the list of categories: the last name of a page. */
export const categoryPages = {
  encode: (name: string): string => pages.encode({ after: encodeURIComponent(name) }),
  decode: (cursor: string): string => decodeURIComponent(pages.decode(cursor).after),
}

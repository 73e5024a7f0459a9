import { z } from 'zod'

/** Why something could not be read, without a word of what it says. */
export const unreadable = (cause: unknown): string => {
  if (cause instanceof URIError) return 'it is not percent-encoded UTF-8'
  if (!(cause instanceof z.ZodError)) return 'it is not JSON in UTF-8'
  return cause.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
}

import type { HttpReply } from '../link/http.ts'

/** A reply’s headers with another field named in Vary (RFC 9110, 12.5.5). */
export const withVary = (
  headers: HttpReply['headers'],
  field: string,
): Record<string, string | readonly string[]> => {
  if (headers['vary'] === undefined) return { ...headers, vary: field }
  const before = [headers['vary'] ?? []].flat().join(', ')
  const named = before.split(',').map((one) => one.trim().toLowerCase())
  if (named.includes('*') || named.includes(field)) return { ...headers }
  return { ...headers, vary: before === '' ? field : `${before}, ${field}` }
}

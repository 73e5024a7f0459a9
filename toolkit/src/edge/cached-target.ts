import type { Route } from './router.ts'

/** Characters that a path's segment holds as they are (RFC 3986, 2.3). */
const plain = /^[\w.~-]*$/

/**
 * A GET's path and query in one form, whichever way a client wrote them: parameters encoded alike, fields of the query sorted by name.
 * Undefined when the operation will refuse it: a field that it does not know, one that comes twice, a text that is none.
 */
export const canonicalTarget = (
  route: Route,
  parameters: Readonly<Record<string, string>>,
  query: string,
): string | undefined => {
  let target = ''
  for (const segment of route.segments) {
    if (segment.parameter === undefined) {
      target += `/${segment.literal}`
      continue
    }
    const value = parameters[segment.parameter] ?? ''
    if (plain.test(value)) target += `/${value}`
    else if (value.isWellFormed()) target += `/${encodeURIComponent(value)}`
    else return undefined
  }
  if (query === '') return target
  const fields = new URLSearchParams(query)
  const names = new Set(fields.keys())
  if (names.size !== fields.size) return undefined
  for (const name of names) if (!route.fields.has(name)) return undefined
  fields.sort()
  return names.size === 0 ? target : `${target}?${fields.toString()}`
}

/** A content coding that this edge may apply (RFC 9110, 8.4.1). */
export type Coding = 'br' | 'gzip'

const weight = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i

/** What each coding is worth to the client, as Accept-Encoding says; an entry that cannot be read is left out. */
const weightsOf = (header: string): ReadonlyMap<string, number> => {
  const weights = new Map<string, number>()
  for (const entry of header.split(',')) {
    const [name = '', parameter, ...more] = entry.split(';').map((part) => part.trim())
    const given = parameter === undefined ? '1' : weight.exec(parameter)?.[1]
    const coding = name.toLowerCase()
    if (coding === '' || given === undefined || more.length > 0) continue
    weights.set(coding === 'x-gzip' ? 'gzip' : coding, Number(given))
  }
  return weights
}

/** Less than any weight: who names neither `identity` nor `*` takes what is not encoded, but rather what is. */
const unnamedIdentity = 0.0001

/**
 * The coding that a client prefers (RFC 9110, 12.5.3): the highest weight wins, and of equal ones brotli before gzip before
 * none. A client that says nothing gets none, as does one that takes nothing at all.
 */
export const preferredCoding = (header: string | undefined): Coding | 'identity' => {
  if (header === undefined) return 'identity'
  const weights = weightsOf(header)
  const others = weights.get('*')
  const weightOf = (coding: Coding | 'identity') =>
    weights.get(coding) ?? others ?? (coding === 'identity' ? unnamedIdentity : 0)
  let best: Coding | 'identity' = 'identity'
  for (const coding of ['gzip', 'br'] as const)
    if (weightOf(coding) > 0 && weightOf(coding) >= weightOf(best)) best = coding
  return best
}

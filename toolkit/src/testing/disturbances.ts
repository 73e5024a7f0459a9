import { failure } from '../base/failure.ts'
import type { Call } from '../link/call.ts'
import { linkNames, type ApartOptions } from './apart.ts'

/** All in one host, or each service in its own and linked so, with what goes wrong between them. */
export type Placement = 'together' | Pick<ApartOptions, 'linked' | 'loses' | 'twice'>

/** Tells calls apart: who calls what, and how often it did before. */
export const numberedCalls = (): ((call: Call) => {
  readonly from: string
  readonly n: number
}) => {
  const counts = new Map<string, number>()
  return ({ caller, target }) => {
    const from = `${caller.kind === 'service' ? caller.name : caller.kind} → ${target}`
    const n = (counts.get(from) ?? 0) + 1
    counts.set(from, n)
    return { from, n }
  }
}

/** Callers save up so many retries that each may meet this many losses. */
const mostLosses = 3

/**
 * Loses one reply in `of`: of each caller's calls of an operation the `first`, then each `of` calls later, three in all. Replies of calls that
 * nobody repeats are not lost.
 */
export const losingOneIn = (of: number, first: number): ((call: Call) => boolean) => {
  const numbered = numberedCalls()
  return (call) => {
    const { n } = numbered(call)
    return call.repeatable && n % of === first % of && n <= mostLosses * of
  }
}

const form = new RegExp(`^(${linkNames.join('|')})(\\+twice)?(?:\\+lost-(\\d)-of-(\\d))?$`)

/** How SERVAL_TEST_PLACEMENT has all tests place their services: `wire`, `direct+twice`, `http+lost-1-of-5`. */
export const placementNamed = (name: string | undefined): Placement => {
  if (name === undefined || name === '' || name === 'together') return 'together'
  const [, linked, twice, first, of] = form.exec(name) ?? []
  const known = linkNames.find((one) => one === linked)
  if (known === undefined)
    throw failure(
      'misconfigured',
      `SERVAL_TEST_PLACEMENT is together, or ${linkNames.join(', ')}, with +twice, +lost-1-of-5 or both; it is ${name}`,
    )
  return {
    linked: known,
    twice: twice !== undefined,
    ...(of !== undefined && { loses: losingOneIn(Number(of), Number(first)) }),
  }
}

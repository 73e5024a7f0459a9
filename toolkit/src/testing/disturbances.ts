import { failure } from '../base/failure.ts'
import type { Call, Caller } from '../link/call.ts'
import { linkNames, type ApartOptions } from './apart.ts'

/** All in one host, or each service in its own and linked so, with what goes wrong between them. */
export type Placement = 'together' | Pick<ApartOptions, 'linked' | 'loses' | 'twice'>

const kindOf = (caller: Caller): string => (caller.kind === 'service' ? caller.name : caller.kind)

/** Tells calls apart: who calls what, and how often it did before. */
export const numberedCalls = (): ((call: Call) => {
  readonly from: string
  readonly n: number
}) => {
  const counts = new Map<string, number>()
  return ({ caller, target }) => {
    const from = `${kindOf(caller)} → ${target}`
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

/**
 * Loses of each operation the first reply to each caller: to each service, to the operator, to whoever is not signed in, and to each of
 * the first three users. Replies of calls that nobody repeats are not lost.
 */
export const losingFirst = (): ((call: Call) => boolean) => {
  const met = new Map<string, Set<string>>()
  return ({ caller, target, repeatable }) => {
    if (!repeatable) return false
    const from = `${kindOf(caller)} → ${target}`
    const who = caller.kind === 'user' ? caller.id : ''
    const callers = met.get(from) ?? new Set()
    if (callers.has(who) || callers.size === mostLosses) return false
    met.set(from, callers.add(who))
    return true
  }
}

const form = new RegExp(`^(${linkNames.join('|')})(\\+twice)?(?:(\\+lost)(?:-(\\d)-of-(\\d))?)?$`)

/**
 * How SERVAL_TEST_PLACEMENT has all tests place their services: how hosts are linked, `direct`, `http` or `wire`; with `+twice`, each message is
 * delivered twice; with `+lost`, the first reply of each operation to each caller is lost, or, with `+lost-1-of-3`, one in three. The services'
 * tests run in `wire+twice+lost` on each push: scripts/apart.mjs.
 */
export const placementNamed = (name: string | undefined): Placement => {
  if (name === undefined || name === '' || name === 'together') return 'together'
  const [, linked, twice, lost, first, of] = form.exec(name) ?? []
  const known = linkNames.find((one) => one === linked)
  if (known === undefined)
    throw failure(
      'misconfigured',
      `SERVAL_TEST_PLACEMENT is together, or ${linkNames.join(', ')}, with +twice, +lost or +lost-1-of-5, or both; it is ${name}`,
    )
  return {
    linked: known,
    twice: twice !== undefined,
    ...(lost !== undefined && {
      loses: of === undefined ? losingFirst() : losingOneIn(Number(of), Number(first)),
    }),
  }
}

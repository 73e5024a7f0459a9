import type { JsonSchema } from './json-schema.ts'
import { misfits, type Direction, type MisfitRule } from './schema-subset.ts'
import type {
  ContractSnapshot,
  ContractsSnapshot,
  EventSnapshot,
  OperationSnapshot,
} from './snapshot.ts'

export type IncompatibilityRule =
  | 'contract-removed'
  | 'operation-removed'
  | 'kind-changed'
  | 'access-tightened'
  | 'http-changed'
  | 'repeat-changed'
  | `input-${MisfitRule}`
  | `output-${MisfitRule}`
  | 'problem-removed'
  | 'problem-kind-changed'
  | 'problem-data-changed'
  | 'event-removed'
  | 'event-key-changed'
  | 'event-purge-removed'
  | 'event-data-changed'

/** A change that those who rely on what was released may not survive. */
export interface Incompatibility {
  /** Contract, operation or event, and the place in it: `orders.place/input/lines/sku`. */
  readonly path: string
  readonly rule: IncompatibilityRule
  /** In words. */
  readonly was: string
  readonly is: string
}

type Found = readonly Incompatibility[]

/**
 * What of `current` breaks somebody who relies on `released`: callers, readers of replies and of events, and the log,
 * which holds messages of the release. Additions are none: operations, optional fields, event versions. A problem may
 * be added too, because a caller has to treat a code that it does not know by its kind (as RFC 9457 asks of types); one
 * that is removed counts, because it cannot be told from one that was renamed.
 */
export const incompatibilities = (
  released: ContractsSnapshot,
  current: ContractsSnapshot,
): readonly Incompatibility[] =>
  Object.entries(released.contracts).flatMap(([name, was]) => {
    const is = current.contracts[name]
    if (is === undefined) return [gone(name, 'contract-removed')]
    return [...operationsOf(name, was, is), ...eventsOf(name, was, is)]
  })

const gone = (path: string, rule: IncompatibilityRule): Incompatibility => ({
  path,
  rule,
  was: 'released',
  is: 'not there',
})

const operationsOf = (contract: string, was: ContractSnapshot, is: ContractSnapshot): Found =>
  Object.entries(was.operations).flatMap(([name, before]) => {
    const path = `${contract}.${name}`
    const now = is.operations[name]
    if (now === undefined) return [gone(path, 'operation-removed')]
    return [
      ...kindOf(path, before, now),
      ...accessOf(path, before, now),
      ...repeatOf(path, before, now),
      ...httpOf(path, before, now),
      ...schemasOf(`${path}/input`, 'input', before.input, now.input),
      ...schemasOf(`${path}/output`, 'output', before.output, now.output),
      ...problemsOf(path, before, now),
    ]
  })

/** Callers repeat and cache by it, also when the http binding is the same. */
const kindOf = (path: string, was: OperationSnapshot, is: OperationSnapshot): Found =>
  was.kind === is.kind
    ? []
    : [{ path: `${path}/kind`, rule: 'kind-changed', was: was.kind, is: is.kind }]

/** Callers by what they need; the operator's operations have an address of their own, so nothing else takes their place. */
const admitted = (access: string): readonly string[] => {
  if (access === 'operator') return ['operator']
  if (access === 'internal') return ['service']
  if (access === 'public') return ['service', 'role', 'user', 'anybody']
  return access === 'user' ? ['service', 'role', 'user'] : ['service', 'role']
}

const accessOf = (path: string, was: OperationSnapshot, is: OperationSnapshot): Found => {
  const otherRole = was.access.startsWith('role:') && is.access.startsWith('role:')
  const tightened = otherRole
    ? was.access !== is.access
    : !admitted(was.access).every((who) => admitted(is.access).includes(who))
  return tightened
    ? [{ path: `${path}/access`, rule: 'access-tightened', was: was.access, is: is.access }]
    : []
}

/**
 * Only never → natural is harmless: callers then may repeat, and need not. With `key`, callers must send a key that
 * they do not have; without it, a repeat would no longer get its first reply, and equal calls are no longer told apart.
 */
const repeatOf = (path: string, was: OperationSnapshot, is: OperationSnapshot): Found =>
  was.repeat === is.repeat || (was.repeat === 'never' && is.repeat === 'natural')
    ? []
    : [{ path: `${path}/repeat`, rule: 'repeat-changed', was: was.repeat, is: is.repeat }]

const httpOf = (path: string, was: OperationSnapshot, is: OperationSnapshot): Found => {
  const [before, now] = [was.http, is.http]
  if (before === undefined) return []
  type Part = string | number | boolean | undefined
  const changed = (part: string, old: Part, current: Part): Incompatibility => ({
    path: `${path}/http${part === '' ? '' : `/${part}`}`,
    rule: 'http-changed',
    was: String(old ?? 'none'),
    is: String(current ?? 'none'),
  })
  if (now === undefined) return [changed('', `${before.method} ${before.path}`, 'no longer bound')]
  const shape = (template: string) => template.replaceAll(/:[^/]+/g, ':')
  return [
    ...(before.method === now.method ? [] : [changed('method', before.method, now.method)]),
    // A parameter's name is a field of the input, and compared as one.
    ...(shape(before.path) === shape(now.path) ? [] : [changed('path', before.path, now.path)]),
    ...(before.status === now.status ? [] : [changed('status', before.status, now.status)]),
    ...(before.location === undefined || before.location === now.location
      ? []
      : [changed('location', before.location, now.location)]),
    ...(!before.etag || now.etag ? [] : [changed('etag', true, false)]),
    ...(!before.ifMatch || now.ifMatch ? [] : [changed('ifMatch', true, false)]),
  ]
}

const schemasOf = (
  path: string,
  direction: 'input' | 'output',
  was: JsonSchema,
  is: JsonSchema,
): Found =>
  compare(direction, was, is).map((one) => ({
    path: `${path}${one.path}`,
    rule: `${direction}-${one.rule}` as const,
    was: one.was,
    is: one.is,
  }))

/** Misfits in the order of time, whichever way the values go. */
const compare = (direction: Direction, was: JsonSchema, is: JsonSchema) =>
  direction === 'output'
    ? misfits(is, was, direction).map(({ path, rule, sent, taken }) => ({ path, rule, was: taken, is: sent })) // prettier-ignore
    : misfits(was, is, direction).map(({ path, rule, sent, taken }) => ({ path, rule, was: sent, is: taken })) // prettier-ignore

const problemsOf = (operation: string, was: OperationSnapshot, is: OperationSnapshot): Found =>
  Object.entries(was.problems).flatMap(([code, before]): Found => {
    const path = `${operation}/problems/${code}`
    const now = is.problems[code]
    if (now === undefined) return [gone(path, 'problem-removed')]
    return [
      ...(before.kind === now.kind
        ? []
        : [{ path, rule: 'problem-kind-changed' as const, was: before.kind, is: now.kind }]),
      ...compare('output', before.data, now.data).map((one) => ({
        path: `${path}${one.path}`,
        rule: 'problem-data-changed' as const,
        was: one.was,
        is: one.is,
      })),
    ]
  })

const eventsOf = (contract: string, was: ContractSnapshot, is: ContractSnapshot): Found =>
  Object.entries(was.events).flatMap(([type, before]): Found => {
    const path = `${contract}.events/${type}`
    const now = is.events[type]
    if (now === undefined) return [gone(path, 'event-removed')]
    return [
      ...(before.key === now.key
        ? []
        : [{ path: `${path}/key`, rule: 'event-key-changed' as const, was: before.key, is: now.key }]), // prettier-ignore
      // A tag more makes caches drop more; one that is gone leaves them with what is no longer true.
      ...before.purges
        .filter((tag) => !now.purges.includes(tag))
        .map((tag) => gone(`${path}/purges/${tag}`, 'event-purge-removed')),
      ...dataOf(`${path}/data`, before, now),
    ]
  })

/** Old readers meet new messages, and new readers old ones: those in the log. */
const dataOf = (path: string, was: EventSnapshot, is: EventSnapshot): Found => {
  const found = [...compare('output', was.data, is.data), ...compare('stored', was.data, is.data)]
  const places = new Map(found.toReversed().map((one) => [one.path, one]))
  return [...places.values()].toReversed().map((one) => ({
    path: `${path}${one.path}`,
    rule: 'event-data-changed',
    was: one.was,
    is: one.is,
  }))
}

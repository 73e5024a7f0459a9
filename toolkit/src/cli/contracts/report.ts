import type { Incompatibility, IncompatibilityRule } from '../../contract/compatibility.ts'
import type { ContractsSnapshot } from '../../contract/snapshot.ts'
import type { Terminal } from '../terminal.ts'

type Schema = `input-${string}` | `output-${string}`

const advice: Readonly<Record<Exclude<IncompatibilityRule, Schema>, string>> = {
  'contract-removed': 'Keep serving it: others still call it and read its events.',
  'operation-removed': 'Keep it until nobody calls it. A new one may stand beside it.',
  'kind-changed': 'Add an operation of the new kind beside it: callers repeat and cache by the kind.', // prettier-ignore
  'access-tightened': 'Add an operation for those who may, and move callers over before this one ends.', // prettier-ignore
  'http-changed': 'Keep the binding, and bind a new operation to the new one.',
  'repeat-changed': 'Keep it: callers send keys, and try again, by what it said. A new operation may differ.', // prettier-ignore
  'problem-removed': 'Keep declaring it, also if it never happens: callers react to its code.',
  'problem-kind-changed': 'Declare a new problem: the kind is the HTTP status that callers know.',
  'problem-data-changed': 'Keep its fields as they were; optional ones may be added.',
  'event-removed': 'Keep publishing it until nobody reads it. A new version may stand beside it.',
  'event-key-changed': 'Publish a new version: readers rely on the order per key.',
  'event-purge-removed': 'Keep the tag: caches hold what was tagged so.',
  'event-data-changed': 'Publish a new version beside it: within one, only optional fields may be added.', // prettier-ignore
}

const isSchemaRule = (rule: IncompatibilityRule): rule is IncompatibilityRule & Schema =>
  /^(in|out)put-/.test(rule)

const adviceOn = (rule: IncompatibilityRule): string => {
  switch (rule) {
    case 'input-field-required':
      return 'Make it optional, or give it a default: callers do not send it yet.'
    case 'input-field-removed':
      return 'Keep taking it: the edge refuses fields that it does not know.'
    case 'input-default':
      return 'Keep the default: callers leave the field out and mean it.'
    case 'output-field-removed':
      return 'Keep answering it: readers use it.'
    case 'output-field-optional':
      return 'Keep answering it every time: readers count on it.'
    default:
      if (!isSchemaRule(rule)) return advice[rule]
      return rule.startsWith('input-')
        ? 'Take all that was taken: callers send it.'
        : 'Answer only what was answered before; a new field may hold the rest.'
  }
}

/** What breaks, where, and what to do about each. */
export const reportIncompatibilities = (
  found: readonly Incompatibility[],
  snapshot: string,
  { err, bold }: Terminal,
): void => {
  for (const { path, rule, was, is } of found)
    err(
      [
        `  ${bold(path)}  ${rule}`,
        `    was  ${was}`,
        `    is   ${is}`,
        `    →    ${adviceOn(rule)}`,
        '',
      ].join('\n'),
    )
  const changes = found.length === 1 ? '1 change breaks' : `${found.length} changes break`
  err(`${changes} what was released (${snapshot}): callers and readers of the last release are still there`) // prettier-ignore
  err('when the next one starts. If it is meant to break, note it: serval contracts release --breaking') // prettier-ignore
}

/** “7 contracts, 40 operations, 12 events”. */
export const sizeOf = ({ contracts }: ContractsSnapshot): string => {
  const all = Object.values(contracts)
  const sum = (part: 'operations' | 'events') =>
    all.reduce((total, one) => total + Object.keys(one[part]).length, 0)
  const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`
  return [
    counted(all.length, 'contract'),
    counted(sum('operations'), 'operation'),
    counted(sum('events'), 'event'),
  ].join(', ')
}

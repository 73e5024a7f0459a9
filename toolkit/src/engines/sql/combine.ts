import type { SqlColumn } from './database.ts'
import { rowsStatement, type Statement } from './transaction.ts'

/*
 * The statements of several transactions that commit as one, as if the transactions had run one after the other. Statements of rows with the
 * same text become one, at the place of the last of them. That changes nothing if neither it nor what it is moved behind touches the
 * other's table, which is told from the texts. Locks come before all changes, the toolkit's own writes after them: nobody else's
 * statements touch its tables, and an event's number is drawn when its key's row is locked.
 */

const written =
  /\b(?:insert\s+into|update|delete\s+from|merge\s+into|truncate)\s+(?:only\s+)?"?(\w+)/gi

interface Names {
  /** The tables that a text changes. */
  readonly changed: ReadonlySet<string>
  /** All words of it, and so the name of every table that it reads. */
  readonly words: ReadonlySet<string>
}

const known = new Map<string, Names>()

const namesIn = (text: string): Names => {
  const before = known.get(text)
  if (before !== undefined) return before
  const lower = text.toLowerCase()
  const found = {
    changed: new Set([...lower.matchAll(written)].map(([, name = '']) => name)),
    words: new Set(lower.match(/\w+/g)),
  }
  // Texts made from values would fill the memory: they are not remembered.
  if (known.size < 1_000) known.set(text, found)
  return found
}

/** Whether one of two statements may change rows that the other uses. One whose table is not seen (it calls a function) may change any. */
export const mayMeet = (one: string, other: string): boolean => {
  const [a, b] = [namesIn(one), namesIn(other)]
  if (a.changed.size === 0 || b.changed.size === 0) return true
  return (
    [...a.changed].some((name) => b.words.has(name)) ||
    [...b.changed].some((name) => a.words.has(name))
  )
}

interface Slot {
  readonly statements: Statement[]
  /** The texts of the slots behind this one. */
  readonly behind: Set<string>
}

const concatenated = (all: readonly (readonly SqlColumn[])[]): readonly SqlColumn[] =>
  (all[0] ?? []).map((_, column) => all.flatMap((columns) => columns[column] as string[]))

const asOne = ([first, ...others]: readonly Statement[]): readonly Statement[] => {
  if (first?.rows === undefined || others.length === 0) return first === undefined ? [] : [first]
  const columns = concatenated([first, ...others].map(({ rows }) => rows?.columns ?? []))
  return [rowsStatement({ ...first.rows, columns: first.rows.combine?.(columns) ?? columns })]
}

/**
 * Whether rows of several transactions may be one statement's: where their writer says how, and where it cannot go wrong. An update without a guard may not: of two rows for one key it would lose one,
 * where a guard counts fewer changes than rows, and has each transaction run by itself.
 */
const combines = ({ text, rows }: Statement): boolean =>
  rows !== undefined &&
  (rows.otherwise !== undefined ||
    rows.combine !== undefined ||
    rows.phase === 'lock' ||
    (/^\s*insert\s/i.test(text) && !/\bdo\s+update\b/i.test(text)))

const together = (statements: readonly Statement[]): readonly Statement[] => {
  const slots = new Set<Slot>()
  /** Those that more rows may join. */
  const open = new Map<string, Slot>()
  for (const statement of statements) {
    const { text } = statement
    const known = combines(statement) ? open.get(text) : undefined
    const joins = known !== undefined && ![...known.behind].some((other) => mayMeet(other, text))
    const slot = {
      statements: joins ? [...known.statements, statement] : [statement],
      behind: new Set<string>(),
    }
    if (joins) slots.delete(known)
    open.delete(text)
    for (const before of open.values()) before.behind.add(text)
    slots.add(slot)
    if (combines(statement)) open.set(text, slot)
  }
  return [...slots].flatMap((slot) => asOne(slot.statements))
}

const phases = ['lock', 'change', 'settle', 'publish'] as const

export const combined = (transactions: readonly (readonly Statement[])[]): readonly Statement[] => {
  if (transactions.length === 1) return transactions[0] ?? []
  const all = transactions.flat()
  const byPhase = Map.groupBy(all, ({ rows }) => rows?.phase ?? 'change')
  return phases.flatMap((phase) => together(byPhase.get(phase) ?? []))
}

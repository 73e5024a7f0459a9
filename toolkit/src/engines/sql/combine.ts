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
  /** The place of its last statement. */
  place: number
}

const asOne = (statements: readonly Statement[]): readonly Statement[] => {
  const [first] = statements
  if (first?.rows === undefined || statements.length === 1) return statements
  const columns = first.rows.columns.map((_, column) =>
    statements.flatMap(({ rows }) => (rows?.columns[column] ?? []) as string[]),
  )
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
  const slots: Slot[] = []
  /** Those that more rows may join. */
  const open = new Map<string, Slot>()
  for (const [place, statement] of statements.entries()) {
    const { text } = statement
    const more = combines(statement)
    let slot = more ? open.get(text) : undefined
    if (slot !== undefined && ![...slot.behind].some((other) => mayMeet(other, text))) {
      slot.statements.push(statement)
      slot.behind.clear()
      slot.place = place
    } else slots.push((slot = { statements: [statement], behind: new Set(), place }))
    open.delete(text)
    for (const before of open.values()) before.behind.add(text)
    if (more) open.set(text, slot)
  }
  return slots.sort((a, b) => a.place - b.place).flatMap((one) => asOne(one.statements))
}

const phases = ['lock', 'change', 'settle', 'publish'] as const

export const combined = (transactions: readonly (readonly Statement[])[]): readonly Statement[] => {
  if (transactions.length === 1) return transactions[0] ?? []
  const all = transactions.flat()
  const byPhase = Map.groupBy(all, ({ rows }) => rows?.phase ?? 'change')
  return phases.flatMap((phase) => together(byPhase.get(phase) ?? []))
}

/**
 * Rows of one kind, by key. Rows are plain data: what is put is copied, and what is read is frozen (or a
 * copy, where it holds bytes), so that nobody changes a row but by `put`.
 */
export interface Table<Row> {
  get(key: string): Row | undefined
  put(key: string, row: Row): void
  /** Answers whether there was a row. */
  delete(key: string): boolean
  /** In the order in which they were added. */
  all(): readonly Row[]
}

interface Stored {
  readonly row: unknown
  /** Everything in it is frozen: it can be handed out as it is. */
  readonly frozen: boolean
}

/** What is committed: tables by name. */
export type Tables = Map<string, Map<string, Stored>>

/** Changes on top of committed tables: others see them when they are applied, all at once. */
export interface Overlay {
  table<Row>(name: string): Table<Row>
  apply(): void
}

/** The key of a row that several values name together. */
export const keyOf = (...parts: readonly (string | number)[]): string => JSON.stringify(parts)

/** Answers whether all of it could be frozen: bytes, dates and maps cannot. */
const freeze = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return true
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return false
  Object.freeze(value)
  return Object.values(value)
    .map(freeze)
    .every((frozen) => frozen)
}

const stored = (given: unknown): Stored => {
  const row: unknown = structuredClone(given)
  return { row, frozen: freeze(row) }
}

export const overlay = (base: Tables): Overlay => {
  const changes = new Map<string, Map<string, Stored | undefined>>()

  const table = <Row>(name: string): Table<Row> => {
    // The caller names the row's type with the table's name, as a query does with its columns.
    const out = ({ row, frozen }: Stored) => (frozen ? row : structuredClone(row)) as Row
    const committed = base.get(name) ?? new Map<string, Stored>()
    base.set(name, committed)
    const changed = changes.get(name) ?? new Map<string, Stored | undefined>()
    changes.set(name, changed)
    const find = (key: string) => (changed.has(key) ? changed.get(key) : committed.get(key))
    return {
      get: (key) => {
        const found = find(key)
        return found === undefined ? undefined : out(found)
      },
      put: (key, row) => void changed.set(key, stored(row)),
      delete: (key) => {
        const there = find(key) !== undefined
        if (there) changed.set(key, undefined)
        return there
      },
      all: () => {
        const keys = new Set([...committed.keys(), ...changed.keys()])
        return [...keys].flatMap((key) => find(key) ?? []).map(out)
      },
    }
  }

  const apply = () => {
    for (const [name, changed] of changes) {
      const committed = base.get(name)
      for (const [key, now] of changed) {
        if (now === undefined) committed?.delete(key)
        else committed?.set(key, now)
      }
    }
    changes.clear()
  }
  return { table, apply }
}

/** One change of committed tables at once; nothing of it is kept when `work` throws. */
export const change = <T>(base: Tables, work: (tables: Overlay) => T): T => {
  const tables = overlay(base)
  const value = work(tables)
  tables.apply()
  return value
}

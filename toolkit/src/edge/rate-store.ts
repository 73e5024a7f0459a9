import type { Env } from '../base/env.ts'
import { emptyAt, meter, type Level, type Quota, type Room } from './gcra.ts'

/** One client's use of one quota. */
export interface Cell {
  /** Clients of one kind are kept apart from those of the other: many addresses push out no user. */
  readonly by: 'address' | 'caller'
  readonly key: string
  readonly quota: Quota
}

/** Where the levels are kept: in this process, or, for many hosts, in a store that they share. */
export interface RateStore {
  /** Counts a request in each of the cells, or, when one has no room, in none of them. Answers in the cells' order. */
  take(cells: readonly Cell[]): Promise<readonly Room[]>
}

export interface MemoryRatesOptions {
  readonly env: Env
  /** Cells in use at once, of addresses and of callers each; default 100,000 (about 20 MB). */
  readonly maxCells?: number
}

interface Kept {
  readonly level: Level
  readonly emptyAt: number
}

const sharedCells = 1_024
const looksPerNew = 2
const looksWhenFull = 16

/** FNV-1a. */
const hash = (text: string, seed: number): number => {
  let sum = (2_166_136_261 ^ seed) >>> 0
  for (let at = 0; at < text.length; at++)
    sum = Math.imul(sum ^ text.charCodeAt(at), 16_777_619) >>> 0
  return sum
}

/**
 * Cells by key. A cell whose level has drained says nothing, so it goes: each new one looks at two old ones, in turn.
 * When as many as may be are in use, nobody's level is thrown away, or a crowd of addresses would clear its own; newcomers
 * then share 1,024 cells a quota by the hash of their key, seeded so that nobody can choose whose company he gets.
 */
class Table {
  readonly #cells = new Map<string, Kept>()
  readonly #shared = new Map<string, Kept>()
  readonly #maxCells: number
  readonly #seed: number
  #hand: Iterator<[string, Kept]>

  constructor(maxCells: number, seed: number) {
    this.#maxCells = maxCells
    this.#seed = seed
    this.#hand = this.#cells.entries()
  }

  get size(): number {
    return this.#cells.size + this.#shared.size
  }

  /** The map that holds a cell, and its name there. */
  place({ key, quota }: Cell, now: number): [map: Map<string, Kept>, name: string] {
    if (this.#cells.has(key)) return [this.#cells, key]
    this.#sweep(this.#cells.size < this.#maxCells ? looksPerNew : looksWhenFull, now)
    if (this.#cells.size < this.#maxCells) return [this.#cells, key]
    const share = hash(key, this.#seed) % sharedCells
    return [this.#shared, `${quota.requests}/${quota.perMs}/${share}`]
  }

  #sweep(looks: number, now: number): void {
    for (let look = 0; look < looks; look++) {
      const next = this.#hand.next()
      if (next.done === true) {
        this.#hand = this.#cells.entries()
        return
      }
      const [key, { level, emptyAt: empty }] = next.value
      // One from after now is of a clock that has been set back since.
      if (empty <= now || level.at > now) this.#cells.delete(key)
    }
  }
}

/** Levels in this process. */
export const memoryRates = ({
  env,
  maxCells = 100_000,
}: MemoryRatesOptions): RateStore & { readonly size: number } => {
  const seed = env.bytes(4).reduce((sum, byte) => sum * 256 + byte, 0)
  const tables = { address: new Table(maxCells, seed), caller: new Table(maxCells, seed) }
  return {
    get size() {
      return tables.address.size + tables.caller.size
    },
    take: (cells) => {
      const now = env.now()
      const taken = cells.map((cell) => {
        const [map, name] = tables[cell.by].place(cell, now)
        return { map, name, cell, ...meter(map.get(name)?.level, cell.quota, now) }
      })
      if (taken.every(({ room }) => room.allowed))
        for (const { map, name, cell, level } of taken)
          map.set(name, { level, emptyAt: emptyAt(level, cell.quota) })
      return Promise.resolve(taken.map(({ room }) => room))
    },
  }
}

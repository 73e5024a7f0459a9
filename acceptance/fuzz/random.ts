/** Chance that is the same for the same seed (mulberry32, by Tommy Ettinger). */
export interface Random {
  /** From 0 to below `most`. */
  below(most: number): number
  /** True so often, from 0 to 1. */
  chance(share: number): boolean
  pick<T>(from: readonly T[]): T
}

export const randomFrom = (seed: number): Random => {
  let state = seed | 0
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    below: (most) => Math.floor(next() * most),
    chance: (share) => next() < share,
    pick: (from) => {
      if (from.length === 0) throw new Error('there is nothing to pick from')
      return from[Math.floor(next() * from.length)] as (typeof from)[number]
    },
  }
}

/*
 * A password that is wrong too often in a row closes the address for a while. It is the address as it was typed that is
 * closed, whether or not somebody has it, so that nothing can be learnt from it.
 */

export interface Tries {
  /** In a row. */
  readonly failures: number
  readonly lastAt: number
  readonly lockedUntil: number | undefined
}

/** The fifth failure locks for a second, each further one for twice as long. */
const firstLocking = 5
const firstLockMs = 1_000
const longestLockMs = 15 * 60_000
/** After a day without a failure all are forgotten. */
export const rememberedMs = 24 * 3_600_000

/** How long it must still wait; 0 when it may be tried. */
export const lockedForMs = (tries: Tries | undefined, now: number): number =>
  Math.max(0, (tries?.lockedUntil ?? now) - now)

/** After one more failure. */
export const failed = (tries: Tries, now: number): Tries => {
  const failures = now - tries.lastAt < rememberedMs ? tries.failures + 1 : 1
  const lockMs = Math.min(longestLockMs, firstLockMs * 2 ** (failures - firstLocking))
  return {
    failures,
    lastAt: now,
    lockedUntil: failures < firstLocking ? undefined : now + lockMs,
  }
}

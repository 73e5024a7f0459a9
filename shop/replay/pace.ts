import type { Env } from 'serval'

/** Runs `run` for each item, at most `concurrency` at once, in order; stops taking items at the first failure. */
export const inParallel = async <T>(
  items: readonly T[],
  concurrency: number,
  run: (item: T, index: number) => Promise<void>,
): Promise<void> => {
  let next = 0
  let failed = false
  const worker = async () => {
    while (!failed && next < items.length) {
      const index = next++
      try {
        await run(items[index] as T, index)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker))
}

/** When each item is due, in milliseconds after the first, at `factor` times the items' own pace. */
export const schedule = (times: readonly number[], factor: number): number[] => {
  const first = times[0] ?? 0
  return times.map((at) => (at - first) / factor)
}

/** More than this at once and sockets, not the shop, would be measured. */
export const openLoopLimit = 512

export interface OpenLoopOptions {
  readonly env: Env
  /** A clock that only goes forward, in milliseconds. */
  readonly clock: () => number
}

/**
 * Starts each item when it is due, whether or not those before it are done: a slow shop is not given a rest. `run` is told
 * when the item was due, from where its latency counts, so that waiting for a late start counts as well (no coordinated
 * omission).
 */
export const openLoop = async <T>(
  items: readonly T[],
  due: readonly number[],
  { env, clock }: OpenLoopOptions,
  run: (item: T, dueAt: number) => Promise<void>,
): Promise<void> => {
  const begun = clock()
  await inParallel(items, openLoopLimit, async (item, index) => {
    const dueAt = begun + (due[index] ?? 0)
    const waitMs = dueAt - clock()
    if (waitMs > 0) await env.sleep(waitMs)
    await run(item, dueAt)
  })
}

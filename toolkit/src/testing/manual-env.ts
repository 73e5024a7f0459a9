import { systemEnv, type Env } from '../base/env.ts'
import { uuidv7 } from '../base/env.ts'
import { reasonOf } from '../base/failure.ts'

/** An env whose time stands still until a test moves it. */
export interface ManualEnv extends Env {
  /** Moves time; timers that fall due run in order, and what they start gets a turn of the event loop each. */
  advance(ms: number): Promise<void>
  /** Timers that wait. */
  readonly waiting: number
}

export const manualEnv = (startMs = Date.UTC(2026, 0, 1)): ManualEnv => {
  const real = systemEnv()
  let now = startMs
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  const after = (ms: number, run: () => void) => {
    const timer = { at: now + ms, run }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0))
  return {
    ...real,
    now: () => now,
    id: uuidv7(() => now, real.bytes),
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(reasonOf(signal))
        const forget = after(ms, resolve)
        signal?.addEventListener(
          'abort',
          () => {
            forget()
            reject(reasonOf(signal))
          },
          { once: true },
        )
      }),
    get waiting() {
      return timers.size
    },
    advance: async (ms) => {
      const end = now + ms
      await turn()
      for (;;) {
        const next = [...timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers.delete(next)
        now = Math.max(now, next.at)
        next.run()
        await turn()
      }
      now = end
      await turn()
    },
  }
}

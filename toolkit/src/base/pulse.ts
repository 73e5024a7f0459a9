import type { Env } from './env.ts'
import { reasonOf } from './failure.ts'

/** Wakes a loop: `wake` is remembered, so that one that comes while the loop works is not lost. */
export interface Pulse {
  wake(): void
  /** Resolves at the next wake, or after `ms`. Rejects when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export const pulse = (env: Env): Pulse => {
  let woken = false
  let release: (() => void) | undefined
  return {
    wake() {
      woken = true
      release?.()
    },
    wait(ms, signal) {
      if (signal.aborted) return Promise.reject(reasonOf(signal))
      if (woken) {
        woken = false
        return Promise.resolve()
      }
      return new Promise((resolve, reject) => {
        const end = (settle: () => void) => {
          forget()
          signal.removeEventListener('abort', abort)
          release = undefined
          woken = false
          settle()
        }
        const abort = () => end(() => reject(reasonOf(signal)))
        const forget = env.after(ms, () => end(resolve))
        signal.addEventListener('abort', abort, { once: true })
        release = () => end(resolve)
      })
    },
  }
}

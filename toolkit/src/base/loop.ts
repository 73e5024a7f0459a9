import type { Env } from './env.ts'
import { pulse, type Pulse } from './pulse.ts'

export interface Loop {
  /** Has the loop turn at once, or once more if it is turning. */
  wake(): void
  /** Ends after the turn under way. */
  stop(): Promise<void>
}

export interface LoopOptions {
  readonly env: Env
  /** One turn; its answer is the longest wait before the next, in milliseconds. */
  readonly turn: (signal: AbortSignal) => Promise<number>
  /** A turn that failed is told here, and tried again after 50 ms, doubled up to 2 s. */
  readonly failed: (error: unknown) => void
}

/** Turns again and again: when woken, when its wait is over, and later after a failure. */
export const loop = (options: LoopOptions): Loop => {
  const stopping = new AbortController()
  const beat: Pulse = pulse(options.env)
  const run = async () => {
    let failures = 0
    while (!stopping.signal.aborted) {
      let wait: number
      try {
        wait = await options.turn(stopping.signal)
        failures = 0
      } catch (error) {
        if (stopping.signal.aborted) return
        options.failed(error)
        wait = Math.min(2_000, 50 * 2 ** failures++)
      }
      if (wait > 0) await beat.wait(wait, stopping.signal).catch(() => undefined)
    }
  }
  const ended = run()
  return {
    wake: beat.wake,
    stop: async () => {
      stopping.abort()
      await ended
    },
  }
}

import { isUnavailability, ServalError, type Env } from 'serval'

/** Says nothing about the call itself: the shop is away, too slow, too busy, or others were faster just now. */
export const isTransient = (error: unknown): boolean =>
  error instanceof ServalError &&
  (isUnavailability(error) || error.kind === 'limited' || error.code === 'conflict')

export interface PatienceOptions {
  readonly env: Env
  /** How long one call is tried again. */
  readonly forMs: number
  /** Told of each failure that is followed by another try. */
  readonly onRetry: (code: string) => void
}

export type Patiently = <T>(call: () => Promise<T>) => Promise<T>

/**
 * Tries a call again while it fails for a transient reason, with growing pauses. What is called must be harmless to repeat.
 * When patience ends, the last failure is thrown.
 */
export const patience = ({ env, forMs, onRetry }: PatienceOptions): Patiently => {
  return async (call) => {
    const until = env.now() + forMs
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof ServalError) || !isTransient(error) || env.now() >= until)
          throw error
        onRetry(error.code)
        await env.sleep(pauseMs * (0.5 + env.random()))
      }
    }
  }
}

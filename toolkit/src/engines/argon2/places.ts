import { reasonOf } from '../../base/failure.ts'

export interface PlacesOptions {
  readonly atOnce: number
  /** How many may wait; one more gets the refusal. */
  readonly waiting: number
  /** Whoever would wait for longer than this, as far as the latest works tell, gets the refusal. */
  readonly waitingMs: number
  readonly refusal: () => Error
  /** Milliseconds of a clock that is never set back. */
  readonly clock: () => number
}

/** A work's share in the average that it changes. */
const weight = 1 / 8

/**
 * Runs at most so many works at once and has the others wait, first come, first served. Whoever leaves while waiting, by the
 * signal, gives the place up at once and rejects with the signal's reason; a work that has begun is done.
 */
export const places = (options: PlacesOptions) => {
  const { atOnce, clock } = options
  /** In the order in which they came. */
  const queue = new Set<() => void>()
  let running = 0
  /** Undefined before the first work is done. */
  let averageMs: number | undefined

  const full = () =>
    queue.size >= options.waiting ||
    ((averageMs ?? 0) * (queue.size + 1)) / atOnce > options.waitingMs

  const wait = (signal: AbortSignal | undefined) =>
    new Promise<void>((resolve, reject) => {
      const leave = () => {
        queue.delete(enter)
        reject(reasonOf(signal))
      }
      const enter = () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      signal?.addEventListener('abort', leave, { once: true })
      queue.add(enter)
    })

  return async <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    if (signal?.aborted === true) throw reasonOf(signal)
    if (running < atOnce) running += 1
    else if (full()) throw options.refusal()
    // A place is handed over, never given up and taken again: a newcomer cannot slip in between.
    else await wait(signal)
    const began = clock()
    try {
      return await work()
    } finally {
      const tookMs = clock() - began
      averageMs = averageMs === undefined ? tookMs : averageMs + (tookMs - averageMs) * weight
      const [next] = queue
      if (next === undefined) running -= 1
      else {
        queue.delete(next)
        next()
      }
    }
  }
}

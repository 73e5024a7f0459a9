export interface PlacesOptions {
  readonly atOnce: number
  /** How many may wait; one more gets the refusal. */
  readonly waiting: number
  readonly refusal: () => Error
}

/** Runs at most so many works at once and has the others wait, first come, first served. */
export const places = (options: PlacesOptions) => {
  const queue: (() => void)[] = []
  let running = 0
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running < options.atOnce) running += 1
    else if (queue.length >= options.waiting) throw options.refusal()
    // A place is handed over, never given up and taken again: a newcomer cannot slip in between.
    else await new Promise<void>((resolve) => queue.push(resolve))
    try {
      return await work()
    } finally {
      const next = queue.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}

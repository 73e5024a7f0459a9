/** Whose turn it is at the one session: first come, first served. */
export interface Turn {
  readonly free: boolean
  take(): Promise<void>
  give(): void
}

export const turn = (): Turn => {
  const waiting: (() => void)[] = []
  let held = false
  return {
    get free() {
      return !held
    },
    take: () => {
      if (held) return new Promise((resolve) => waiting.push(resolve))
      held = true
      return Promise.resolve()
    },
    give: () => {
      const next = waiting.shift()
      if (next) next()
      else held = false
    },
  }
}

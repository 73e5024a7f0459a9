import type { Frame } from '../store/store.ts'

/** What a handler's step settles when it commits: the cursor, or the held message, of what caused it. */
export interface Settlement {
  /** Runs a commit that calls `settle`; nothing else settles the same message meanwhile. */
  around<T>(commit: () => Promise<T>): Promise<T>
  settle(frame: Frame): void
}

interface DeliveryOptions {
  readonly moveCursor: (frame: Frame) => void
  readonly settleHeld: (frame: Frame) => void
  readonly held: boolean
  /** Waits until the step may move the cursor; its end is told to what this resolves with. */
  readonly turn?: () => Promise<(committed: boolean) => void>
}

/**
 * One message being handled. It starts in its lane, where its step moves the cursor; when it takes long it is set aside
 * among the held messages, while its handler goes on, and from then on its step settles the held row instead.
 */
export const delivery = (options: DeliveryOptions) => {
  let held = options.held
  let stepping = false
  let settled = false
  let settingAside: Promise<unknown> = Promise.resolve()
  const settlement: Settlement = {
    around: async (commit) => {
      // From now on it is not set aside, unless that has begun already.
      stepping = true
      await settingAside
      let ended: ((committed: boolean) => void) | undefined
      try {
        if (!held) ended = await options.turn?.()
        const value = await commit()
        settled = true
        return value
      } finally {
        stepping = false
        ended?.(settled)
      }
    },
    settle: (frame) => (held ? options.settleHeld(frame) : options.moveCursor(frame)),
  }
  return {
    settlement,
    get held() {
      return held
    },
    get settled() {
      return settled
    },
    /** Resolves when it is not just being set aside. */
    rest: () => settingAside,
    /** Moves the message out of its lane with `put`, unless its step waits or is committing. Answers whether it did. */
    setAside: async (put: () => Promise<void>): Promise<boolean> => {
      if (stepping || settled || held) return false
      const moving = put()
      settingAside = moving.catch(() => undefined)
      await moving
      held = true
      return true
    },
  }
}

type AbortListener = (() => void) | { handleEvent(): void }

/**
 * An AbortController whose AbortSignal is made when somebody asks for it: nobody does in most calls, and making one, and listening
 * to it, costs more than all the rest of a guard.
 */
export class LazySignal {
  #aborted = false
  #reason: unknown = undefined
  #listeners: AbortListener[] | undefined = undefined
  #controller: AbortController | undefined = undefined

  get aborted(): boolean {
    return this.#aborted
  }

  get reason(): unknown {
    return this.#reason
  }

  get real(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  addEventListener(_: 'abort', listener: AbortListener): void {
    if (this.#listeners === undefined) this.#listeners = [listener]
    else if (!this.#listeners.includes(listener)) this.#listeners.push(listener)
  }

  removeEventListener(_: 'abort', listener: AbortListener): void {
    // Who came last mostly leaves first.
    if (this.#listeners?.at(-1) === listener) this.#listeners.pop()
    else this.#listeners = this.#listeners?.filter((one) => one !== listener)
  }

  abort(reason: unknown): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#reason = reason
    const listeners = this.#listeners ?? []
    this.#listeners = undefined
    for (const listener of listeners)
      if (typeof listener === 'function') listener()
      else listener.handleEvent()
    this.#controller?.abort(reason)
  }
}

/**
 * Nobody gives up: there is nothing to listen to. Also for speed: on a signal that outlives its listeners V8 carries them into the old
 * generation, a third of a call's cost.
 */
class NeverSignal extends LazySignal {
  override addEventListener(): void {}
  override removeEventListener(): void {}
  override abort(): void {}
}
export const never: Signal = new NeverSignal()

/** What a call is given up by: listened to as either is. */
export type Signal = AbortSignal | LazySignal

/** The AbortSignal, for what takes nothing else. */
export const abortSignal = (signal: Signal): AbortSignal =>
  signal instanceof LazySignal ? signal.real : signal

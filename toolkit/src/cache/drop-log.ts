import type { Tags } from './store.ts'

const longest = 10_000

/**
 * Which tags were dropped lately: a fill notes the log's position when it begins, and asks in the end whether one of its tags was
 * dropped since. Of the last 10 000 dropped tags each is known by itself; a fill from before them counts as dropped.
 */
export class DropLog {
  /** By tag, the oldest drop first. */
  readonly #latest = new Map<string, number>()
  #position = 0
  #forgotten = 0

  get position(): number {
    return this.#position
  }

  add(tags: Tags): void {
    this.#position += 1
    if (tags === 'all') {
      this.#forgotten = this.#position
      this.#latest.clear()
      return
    }
    for (const tag of tags) {
      this.#latest.delete(tag)
      this.#latest.set(tag, this.#position)
    }
    for (const [tag, position] of this.#latest) {
      if (this.#latest.size <= longest) break
      this.#latest.delete(tag)
      this.#forgotten = position
    }
  }

  droppedSince(position: number, tags: readonly string[]): boolean {
    return position < this.#forgotten || tags.some((tag) => (this.#latest.get(tag) ?? 0) > position)
  }
}

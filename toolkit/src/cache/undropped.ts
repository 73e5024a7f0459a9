import type { Tags } from './store.ts'

const longest = 10_000

interface Waiting {
  readonly tags: Tags
  readonly numbers: ReadonlyMap<string, number>
  readonly all: number | undefined
}

/** Drops that have not reached the store. Past 10 000 tags, everything counts as dropped. */
export class Undropped {
  /** The number of the last drop that named the tag. */
  readonly #tags = new Map<string, number>()
  #all: number | undefined
  #drops = 0

  get some(): boolean {
    return this.#all !== undefined || this.#tags.size > 0
  }

  has(tags: readonly string[]): boolean {
    return (
      this.#all !== undefined || (this.#tags.size > 0 && tags.some((tag) => this.#tags.has(tag)))
    )
  }

  add(tags: Tags): void {
    this.#drops += 1
    if (tags !== 'all') for (const tag of tags) this.#tags.set(tag, this.#drops)
    if (tags !== 'all' && this.#tags.size <= longest && this.#all === undefined) return
    this.#all = this.#drops
    this.#tags.clear()
  }

  /** What is to be dropped by now. */
  snapshot(): Waiting {
    const tags = this.#all === undefined ? [...this.#tags.keys()] : 'all'
    return { tags, numbers: new Map(this.#tags), all: this.#all }
  }

  /** It was; a drop that failed since still waits. */
  reached({ numbers, all }: Waiting): void {
    if (this.#all === all) this.#all = undefined
    for (const [tag, number] of numbers) if (this.#tags.get(tag) === number) this.#tags.delete(tag)
  }
}

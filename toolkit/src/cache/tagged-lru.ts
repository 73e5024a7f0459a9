import { Lru } from './lru.ts'
import type { Tags } from './store.ts'

interface Tagged<V> {
  readonly value: V
  readonly tags: readonly string[]
}

/** A bounded map whose entries bear tags; what bears a tag is dropped in time proportional to its number. */
export class TaggedLru<V> {
  readonly #keysByTag = new Map<string, Set<string>>()
  readonly #entries: Lru<Tagged<V>>

  constructor(limits: { readonly maxEntries: number; readonly maxBytes: number }) {
    this.#entries = new Lru({ ...limits, left: (key, { tags }) => this.#untag(key, tags) })
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#entries.bytes
  }

  /** How many tags the entries bear. */
  get tags(): number {
    return this.#keysByTag.size
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value
  }

  /** Replaces what is there; an entry larger than all the room is not kept. */
  set(key: string, value: V, bytes: number, tags: readonly string[]): void {
    if (!this.#entries.set(key, { value, tags }, bytes)) return
    for (const tag of tags)
      this.#keysByTag.set(tag, (this.#keysByTag.get(tag) ?? new Set()).add(key))
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  drop(tags: Tags): void {
    if (tags === 'all') return this.#entries.clear()
    for (const tag of tags)
      for (const key of this.#keysByTag.get(tag) ?? []) this.#entries.delete(key)
  }

  #untag(key: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const keys = this.#keysByTag.get(tag)
      keys?.delete(key)
      if (keys?.size === 0) this.#keysByTag.delete(tag)
    }
  }
}

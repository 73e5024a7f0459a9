export interface LruOptions<V> {
  readonly maxEntries: number
  readonly maxBytes: number
  /** Told of each entry that leaves, for whatever reason. */
  readonly left?: (key: string, value: V) => void
}

interface Node<V> {
  readonly key: string
  readonly value: V
  readonly bytes: number
  newer: Node<V> | undefined
  older: Node<V> | undefined
}

/**
 * A map bounded by a number of entries and of bytes: what was not used for longest goes first. It knows no time. A hit
 * costs one look-up and a few assignments.
 */
export class Lru<V> {
  readonly #options: LruOptions<V>
  readonly #nodes = new Map<string, Node<V>>()
  #newest: Node<V> | undefined
  #oldest: Node<V> | undefined
  #bytes = 0

  constructor(options: LruOptions<V>) {
    this.#options = options
  }

  get size(): number {
    return this.#nodes.size
  }

  /** As given with the entries. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): V | undefined {
    const node = this.#nodes.get(key)
    if (node === undefined) return undefined
    if (node !== this.#newest) {
      this.#unlink(node)
      this.#link(node)
    }
    return node.value
  }

  /** Replaces what is there. Whether it is kept: an entry larger than all the room is not. */
  set(key: string, value: V, bytes: number): boolean {
    this.delete(key)
    const { maxBytes, maxEntries } = this.#options
    if (bytes > maxBytes || maxEntries < 1) return false
    const node: Node<V> = { key, value, bytes, newer: undefined, older: undefined }
    this.#nodes.set(key, node)
    this.#bytes += bytes
    this.#link(node)
    while (this.#oldest !== undefined && this.#isFull()) this.#remove(this.#oldest)
    return true
  }

  delete(key: string): void {
    const node = this.#nodes.get(key)
    if (node !== undefined) this.#remove(node)
  }

  clear(): void {
    while (this.#oldest !== undefined) this.#remove(this.#oldest)
  }

  #isFull(): boolean {
    return this.#bytes > this.#options.maxBytes || this.#nodes.size > this.#options.maxEntries
  }

  #remove(node: Node<V>): void {
    this.#nodes.delete(node.key)
    this.#bytes -= node.bytes
    this.#unlink(node)
    this.#options.left?.(node.key, node.value)
  }

  #link(node: Node<V>): void {
    node.newer = undefined
    node.older = this.#newest
    if (this.#newest === undefined) this.#oldest = node
    else this.#newest.newer = node
    this.#newest = node
  }

  #unlink(node: Node<V>): void {
    if (node.newer === undefined) this.#newest = node.older
    else node.newer.older = node.older
    if (node.older === undefined) this.#oldest = node.newer
    else node.older.newer = node.newer
  }
}

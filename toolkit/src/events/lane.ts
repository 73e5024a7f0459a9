import type { Message } from '../contract/index.ts'

/** One partition as a subscriber works on it. */
export interface Lane {
  readonly partition: number
  /** As committed. */
  cursor: number
  /** Last position fetched. */
  fetched: number
  queue: Message[]
  busy: boolean
  /** Held messages by key. */
  readonly held: Map<string, number>
}

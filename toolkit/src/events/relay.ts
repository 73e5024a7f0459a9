import type { Env } from '../base/env.ts'
import { loop, type Loop } from '../base/loop.ts'
import type { Log } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'

export interface RelayOptions {
  readonly env: Env
  readonly log: Logger
  readonly source: Log
  /** How often to look without being woken, for what a killed host left behind. */
  readonly pollMs: number
  readonly grown: (partitions: readonly number[]) => void
}

/** Moves a service's outbox to its log, soon after each commit. Any number of hosts may do so at once. */
export const relay = (options: RelayOptions): Loop =>
  loop({
    env: options.env,
    failed: (error) =>
      options.log.warn('the relay could not move the outbox to the log', {}, error),
    turn: async () => {
      const partitions = await options.source.relay()
      if (partitions.length === 0) return options.pollMs
      options.grown(partitions)
      return 0
    },
  })

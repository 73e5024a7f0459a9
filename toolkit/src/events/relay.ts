import type { Env } from '../base/env.ts'
import { loop, type Loop } from '../base/loop.ts'
import type { Log } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import { quiet } from '../base/quiet.ts'

export interface RelayOptions {
  readonly env: Env
  readonly log: Logger
  readonly source: Log
  /** How often to look without being woken, for what a killed host left behind. */
  readonly pollMs: number
  readonly grown: (partitions: readonly number[]) => void
}

/** Moves a service's outbox to its log, and tells when the log has grown. Any number of hosts may do so at once. */
export const relay = (options: RelayOptions): Loop => {
  const wait = quiet(options.pollMs)
  return loop({
    env: options.env,
    failed: (error) =>
      options.log.warn('the relay could not move the outbox to the log', {}, error),
    turn: async () => {
      const partitions = await options.source.relay()
      if (partitions.length > 0) options.grown(partitions)
      return wait(partitions.length > 0)
    },
  })
}

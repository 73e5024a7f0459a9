import type { Env } from '../base/env.ts'
import type { Logger } from '../telemetry/log.ts'

const mostLines = 10
const pausedMs = 10_000

/** Writes down what strangers did wrong, ten times in ten seconds at most, then how many were left out: who floods a host floods no log. */
export type Complain = (message: string, peer: string, error: unknown) => void

export const complaints = (env: Env, log: Logger): Complain => {
  let since = -Infinity
  let lines = 0
  let unsaid = 0
  return (message, peer, error) => {
    const now = env.now()
    if (now - since >= pausedMs) {
      since = now
      lines = 0
    }
    lines += 1
    if (lines > mostLines) return void (unsaid += 1)
    log.warn(message, { peer, ...(unsaid > 0 && { leftOut: unsaid }) }, error)
    unsaid = 0
  }
}

import { quantile } from '../statistics.ts'
import type { Deed } from './deeds.ts'
import type { Sample } from './load.ts'

/** How the requests of one second went. */
export interface Second {
  /** Since the load began. */
  readonly at: number
  readonly requests: number
  readonly failed: number
  readonly p99: number
}

export interface Measured {
  /** Over the time before the first deed. */
  readonly before: number
  readonly seconds: readonly Second[]
  readonly deeds: readonly {
    readonly deed: Deed
    /** When the time in which the fleet was left alone afterwards was over. */
    readonly restUntil: number
    readonly tookMs: number
    readonly failed: number
    /** The worst second's. */
    readonly p99: number
    /** Seconds whose p99 is more than twice that before, at most so many one after the other. */
    readonly slow: number
    /** From when the deed was over until the last request failed, by when it was due; 0 when none did. */
    readonly backMs: number
  }[]
}

const p99 = (samples: readonly Sample[]) =>
  quantile(
    samples.map(({ tookMs }) => tookMs),
    0.99,
  )

const longestRun = (seconds: readonly Second[], limit: number): number => {
  let [longest, run] = [0, 0]
  for (const second of seconds) {
    run = second.p99 > limit ? run + 1 : 0
    longest = Math.max(longest, run)
  }
  return longest
}

/** A process that is killed is back when it runs again; one that is stopped, or the server, when it goes on. */
const backFrom = ({ kind, from, to }: Deed): number => (kind === 'kill' ? from : to)

export const measure = (
  samples: readonly Sample[],
  begun: number,
  deeds: readonly Deed[],
): Measured => {
  const second = ({ at }: Sample) => Math.floor((at - begun) / 1_000)
  const bySecond = Map.groupBy(samples, second)
  const seconds = [...bySecond]
    .sort(([a], [b]) => a - b)
    .map(([at, all]) => ({
      at,
      requests: all.length,
      failed: all.filter(({ failed }) => failed).length,
      p99: p99(all),
    }))
  const first = deeds[0]?.from ?? Number.POSITIVE_INFINITY
  const before = p99(samples.filter(({ at }) => at < first))
  return {
    before,
    seconds,
    deeds: deeds.map((deed, nth) => {
      const until = Math.max(deed.to + deed.restMs, deeds[nth + 1]?.from ?? 0)
      // What was under way when a deed began was hit by it, not by the one before.
      const own = samples.filter(
        ({ at, tookMs }) => at + tookMs >= deed.from && at + tookMs < until,
      )
      const last = own.findLast(({ failed }) => failed)?.at ?? 0
      const touched = seconds.filter(
        ({ at }) => begun + (at + 1) * 1_000 > deed.from && begun + at * 1_000 < until,
      )
      return {
        deed,
        restUntil: until,
        tookMs: deed.to - deed.from,
        failed: own.filter(({ failed }) => failed).length,
        p99: Math.max(...touched.map((one) => one.p99)),
        slow: longestRun(touched, 2 * before),
        backMs: Math.max(0, last - backFrom(deed)),
      }
    }),
  }
}

import { quantile } from '../statistics.ts'
import type { Finding } from './books.ts'
import { unnoticed, type DeedName } from './deeds.ts'
import type { Kind } from './kinds.ts'
import type { Measured } from './latency.ts'
import { retriesIn } from './retries.ts'
import type { Sample } from './load.ts'

const backWithinMs = 5_000
/** The deadline of the operations of the mix. */
const deadlineMs = 5_000
/** Beside it, for the way there and back on a machine that has much to do. */
const lateMs = 1_000
const otherSlower = 1.2
const goodput = 0.99
/** Of the calls between hosts. */
const mostRetries = 0.1
/** Hosts say so long afterwards what they called again. */
const saidLaterMs = 11_000

const p99 = (samples: readonly Sample[]) =>
  quantile(
    samples.map(({ tookMs }) => tookMs),
    0.99,
  )

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

const limit = (what: string, found: number, most: number, unit: string): Finding => ({
  what,
  expected: `at most ${most} ${unit}`,
  found: `${found.toFixed(unit === 'ms' ? 0 : 2)} ${unit}`,
  ok: found <= most,
})

/** What hangs is felt by those who need it, no longer than their deadline, and by nobody else. */
const hangFindings = (
  deeds: Measured['deeds'],
  samples: readonly Sample[],
  kinds: readonly Kind[],
  log: string,
): readonly Finding[] => {
  const retried = retriesIn(log)
  const first = Math.min(...deeds.map(({ deed }) => deed.from))
  const before = samples.filter(({ at }) => at < first)
  return deeds.flatMap(({ deed, restUntil }) => {
    const hit = new Set(
      kinds
        .filter(({ needs }) => needs.some((one) => deed.without.includes(one)))
        .map(({ name }) => name),
    )
    const others = (all: readonly Sample[]) => all.filter(({ kind }) => !hit.has(kind))
    const during = samples.filter(({ at }) => at >= deed.from && at < deed.to)
    const healed = samples.filter(({ at }) => at >= deed.to + backWithinMs && at < restUntil)
    const well = healed.filter(({ failed }) => !failed).length / Math.max(1, healed.length)
    const slowest = Math.max(0, ...during.map(({ tookMs }) => tookMs))
    const failedOthers = others(during).filter(({ failed }) => failed).length
    const said = retried.filter(({ at }) => {
      const since = at - performance.timeOrigin
      return since >= deed.from && since < deed.to + saidLaterMs
    })
    const [calls, again] = [sum(said.map((one) => one.calls)), sum(said.map((one) => one.retries))]
    return [
      limit(`${deed.name}: the slowest reply`, slowest, deadlineMs + lateMs, 'ms'),
      {
        what: `${deed.name}: other requests that failed`,
        expected: 0,
        found: failedOthers,
        ok: failedOthers === 0,
      },
      limit(
        `${deed.name}: p99 of others to that before`,
        p99(others(during)) / p99(others(before)),
        otherSlower,
        'times',
      ),
      {
        what: `${deed.name}: calls made again, by the hosts that did`,
        expected: `at most ${mostRetries * 100} %`,
        found: calls === 0 ? 'none' : `${((100 * again) / calls).toFixed(1)} % of ${calls}`,
        ok: again <= mostRetries * calls,
      },
      {
        what: `${deed.name}: answered well, from 5 s after it`,
        expected: `at least ${goodput * 100} %`,
        found: `${(well * 100).toFixed(2)} %`,
        ok: well >= goodput,
      },
    ]
  })
}

/** What nobody may notice must not be noticed; what is killed must be back. Latencies are left out on a machine that does other things. */
export const findingsOf = (
  name: DeedName,
  { deeds }: Measured,
  samples: readonly Sample[],
  kinds: readonly Kind[],
  latencies: boolean,
  log: string,
): readonly Finding[] => {
  const done = deeds.filter(({ deed }) => deed.kind === name)
  if (name === 'hang') return hangFindings(done, samples, kinds, log)
  const failed = sum(done.map((one) => one.failed))
  const slow = Math.max(0, ...done.map((one) => one.slow))
  const back = Math.max(0, ...done.map(({ backMs }) => backMs))
  if (unnoticed.includes(name))
    return [
      { what: `${name}: requests that failed`, expected: 0, found: failed, ok: failed === 0 },
      ...(latencies
        ? [limit(`${name}: at a stretch with more than twice the p99`, slow, 1, 'seconds')]
        : []),
    ]
  return [
    { what: `${name}: requests that failed`, expected: 'any', found: failed, ok: true },
    {
      what: `${name}: service back`,
      expected: `within ${backWithinMs / 1_000} s`,
      found: `after ${(back / 1_000).toFixed(1)} s`,
      ok: back <= backWithinMs,
    },
  ]
}

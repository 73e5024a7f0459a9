import type { Check } from './checks.ts'
import type { Placing } from './place.ts'
import type { Plan } from './plan.ts'
import { quantilesOf, type Quantiles } from './quantiles.ts'
import type { Outcome } from './verify.ts'

export interface Report {
  readonly run: string
  readonly file: string
  /** `max`, or the factor of the file's own pace. */
  readonly speed: 'max' | number
  readonly concurrency: number
  readonly startedAt: string
  readonly rows: Plan['file']
  readonly products: number
  readonly customers: number
  readonly orders: {
    readonly planned: number
    readonly accepted: number
    /** Accepted by an earlier run of the same id already. */
    readonly earlier: number
    readonly refused: number
    readonly confirmed: number
    readonly cancelled: number
  }
  readonly lines: { readonly accepted: number; readonly refused: number }
  /** Orders refused, per reason. */
  readonly refusals: Readonly<Record<string, number>>
  readonly cancellations: Readonly<Record<string, number>>
  readonly seconds: { readonly placing: number; readonly untilSettled: number }
  readonly throughput: {
    readonly placedPerSecond: number
    readonly linesPlacedPerSecond: number
    readonly settledPerSecond: number
  }
  /** Milliseconds. */
  readonly latency: {
    readonly placing: Quantiles | undefined
    readonly toFinal: Quantiles | undefined
    readonly toMail: Quantiles | undefined
  }
  /** Tries that failed and were followed by another, per code. */
  readonly retries: Readonly<Record<string, number>>
  readonly checks: readonly Check[]
  readonly ok: boolean
}

export interface ReportFacts {
  readonly about: Pick<Report, 'run' | 'file' | 'speed' | 'concurrency' | 'startedAt'>
  readonly plan: Plan
  readonly placing: Placing
  readonly fresh: readonly Outcome[]
  readonly earlier: readonly Outcome[]
  readonly untilSettledMs: number
  readonly toFinalMs: readonly number[]
  readonly retries: ReadonlyMap<string, number>
  readonly checks: readonly Check[]
}

export const tally = (words: readonly string[]): Record<string, number> => {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return Object.fromEntries([...counts].toSorted((a, b) => b[1] - a[1]))
}

const lines = (orders: readonly { readonly order: { readonly lines: readonly unknown[] } }[]) =>
  orders.reduce((sum, { order }) => sum + order.lines.length, 0)

const rate = (count: number, ms: number) => (ms === 0 ? 0 : Math.round((count / ms) * 10_000) / 10)

export const reportOf = (facts: ReportFacts): Report => {
  const { plan, placing, fresh, earlier, checks } = facts
  const { placed, refused } = placing
  const all = [...fresh, ...earlier]
  const cancelled = all.filter(({ status }) => status === 'cancelled')
  const final = fresh.filter(({ status }) => status === 'cancelled' || status === 'confirmed')
  return {
    ...facts.about,
    rows: plan.file,
    products: plan.products.length,
    customers: plan.customers.length,
    orders: {
      planned: plan.orders.length,
      accepted: placed.length,
      earlier: earlier.length,
      refused: refused.length,
      confirmed: all.filter(({ status }) => status === 'confirmed').length,
      cancelled: cancelled.length,
    },
    lines: { accepted: lines(placed), refused: lines(refused) },
    refusals: tally(refused.map(({ reason }) => reason)),
    cancellations: tally(cancelled.map(({ reason = 'no reason' }) => reason)),
    seconds: { placing: placing.tookMs / 1_000, untilSettled: facts.untilSettledMs / 1_000 },
    throughput: {
      placedPerSecond: rate(placed.length, placing.tookMs),
      linesPlacedPerSecond: rate(lines(placed), placing.tookMs),
      settledPerSecond: rate(final.length, facts.untilSettledMs),
    },
    latency: {
      placing: quantilesOf(placed.map(({ latencyMs }) => latencyMs)),
      toFinal: quantilesOf(facts.toFinalMs),
      toMail: quantilesOf(fresh.flatMap(({ toMailMs }) => toMailMs ?? [])),
    },
    retries: Object.fromEntries(facts.retries),
    checks,
    ok: checks.every(({ ok }) => ok),
  }
}

const number = (value: number) => value.toLocaleString('en-GB')
const pounds = (minor: number) =>
  `£${(minor / 100).toLocaleString('en-GB', { minimumFractionDigits: 2 })}`

const duration = (ms: number) =>
  ms < 100
    ? `${ms.toFixed(1)} ms`
    : ms < 10_000
      ? `${ms.toFixed(0)} ms`
      : `${(ms / 1_000).toFixed(1)} s`

const latencyLine = (name: string, quantiles: Quantiles | undefined) => {
  if (quantiles === undefined) return `  ${name.padEnd(17)}not known`
  const { count, p50, p90, p99, max } = quantiles
  const parts = Object.entries({ p50, p90, p99, max }).map(([part, ms]) =>
    `${part} ${duration(ms)}`.padEnd(16),
  )
  return `  ${name.padEnd(17)}${parts.join('')}of ${number(count)}`
}

const counts = (record: Readonly<Record<string, number>>) => {
  const entries = Object.entries(record)
  if (entries.length === 0) return 'none'
  return entries.map(([word, count]) => `${number(count)} × ${word}`).join(', ')
}

const checkLine = ({ name, expected, actual, ok, unit }: Check) => {
  const shown = unit === 'pence' ? pounds : number
  const cells = [shown(expected).padStart(15), shown(actual).padStart(15)]
  return `  ${ok ? '✓' : '✗'} ${name.padEnd(54)}${cells.join('')}`
}

/** The report as a person reads it. */
export const reportText = (report: Report): string => {
  const { orders, lines: count, throughput, latency, checks } = report
  const pace =
    report.speed === 'max'
      ? `as fast as it goes, ${report.concurrency} at once`
      : `at ${number(report.speed)} times its own pace`
  const failed = checks.filter(({ ok }) => !ok).length
  const earlier =
    orders.earlier === 0 ? '' : `, ${number(orders.earlier)} of them by an earlier run`
  return [
    '',
    `  ${report.file}, ${pace}; run ${report.run}`,
    '',
    `  Orders           ${number(orders.accepted)} of ${number(orders.planned)} accepted${earlier}; ` +
      `${number(orders.confirmed)} confirmed, ${number(orders.cancelled)} cancelled`,
    `  Lines            ${number(count.accepted)} accepted, ${number(count.refused)} refused`,
    `  Refused          ${counts(report.refusals)}`,
    `  Cancelled        ${counts(report.cancellations)}`,
    `  Placed           ${number(throughput.placedPerSecond)} orders/s, ` +
      `${number(throughput.linesPlacedPerSecond)} lines/s, in ${duration(report.seconds.placing * 1_000)}`,
    `  Settled          ${number(throughput.settledPerSecond)} orders/s, ` +
      `the last ${duration(report.seconds.untilSettled * 1_000)} after the first was placed`,
    latencyLine('Reply', latency.placing),
    latencyLine('Reply to final', latency.toFinal),
    latencyLine('Placed to mail', latency.toMail),
    `  Retries          ${counts(report.retries)}`,
    '',
    `    ${'Check'.padEnd(54)}${'expected'.padStart(15)}${'actual'.padStart(15)}`,
    ...checks.map(checkLine),
    '',
    failed === 0
      ? `  All ${checks.length} checks agree.`
      : `  ${failed} of ${checks.length} checks do not agree.`,
    '',
  ].join('\n')
}

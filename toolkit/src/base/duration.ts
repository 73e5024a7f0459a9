import { failure } from './failure.ts'

/** A length of time: milliseconds, or a number with a unit (`250ms`, `30s`, `5m`, `24h`, `7d`). */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Milliseconds of a duration. Anything else, and anything negative, is a `misconfigured` failure. */
export const milliseconds = (duration: Duration, field = 'duration'): number => {
  if (typeof duration === 'number' && duration >= 0 && Number.isFinite(duration)) return duration
  const match = typeof duration === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) : null
  const ms = match === null ? NaN : Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]
  if (Number.isFinite(ms)) return ms
  const given = typeof duration === 'string' ? JSON.stringify(duration) : String(duration)
  throw failure(
    'misconfigured',
    `${field} must be a duration such as 250ms, 30s, 5m, 24h or 7d; it is ${given}`,
  )
}

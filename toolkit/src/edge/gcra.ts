/** So many requests in so long: at once, and from then on one each time that `perMs / requests` has passed. */
export interface Quota {
  readonly requests: number
  /** Whole milliseconds. */
  readonly perMs: number
}

/**
 * What one client has used of a quota. A request costs `perMs` units, and each millisecond gives back `requests` of them:
 * whole numbers, so that nothing is lost to rounding however long it goes on.
 */
export interface Level {
  readonly used: number
  /** When `used` was written, in milliseconds. */
  readonly at: number
}

/** What a quota has left for a client, after the request that asked. */
export interface Room {
  readonly allowed: boolean
  /** Requests that would be allowed now. */
  readonly remaining: number
  /** Until one more is allowed than now: milliseconds, rounded up. */
  readonly moreInMs: number
}

/** The level at a time. A clock that was set back gives nothing back, and takes nothing away. */
const levelAt = (level: Level | undefined, { requests }: Quota, now: number): Level => {
  if (level === undefined) return { used: 0, at: now }
  const passed = Math.max(0, now - level.at)
  return { used: Math.max(0, level.used - passed * requests), at: now }
}

/** When a level will be as good as none. */
export const emptyAt = ({ used, at }: Level, { requests }: Quota): number => at + used / requests

/**
 * The Generic Cell Rate Algorithm as a continuous-state leaky bucket (ITU-T I.371, annex A), with a burst of the whole
 * quota: in any stretch of `t` milliseconds at most `requests + t × requests / perMs` pass. A refused request costs nothing.
 * Fixed windows, which most libraries count by, let twice the quota pass around a window's edge.
 */
export const meter = (level: Level | undefined, quota: Quota, now: number) => {
  const { requests, perMs } = quota
  const whole = requests * perMs
  const before = levelAt(level, quota, now)
  const roomIn = ({ used }: Level) => {
    const remaining = Math.floor((whole - used) / perMs)
    const wanted = whole - Math.min(requests, remaining + 1) * perMs
    return { remaining, moreInMs: Math.ceil(Math.max(0, used - wanted) / requests) }
  }
  const after: Level = { used: before.used + perMs, at: now }
  return after.used <= whole
    ? { level: after, room: { allowed: true, ...roomIn(after) } satisfies Room }
    : { level: before, room: { allowed: false, ...roomIn(before) } satisfies Room }
}

import { failure } from 'serval'
import { maxBuckets, TooManyBuckets, type bucketSizes } from './contract.ts'

export type BucketSize = (typeof bucketSizes)[number]

/** Milliseconds; from inclusive, to exclusive. */
export interface Range {
  readonly from: number
  readonly to: number
}

// UTC has no leap seconds here (POSIX time), so that each bucket begins at a multiple of its length since the epoch.
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const bucketMs: Readonly<Record<BucketSize, number>> = { minute, hour, day }

/** Buckets of a range of which nothing was said. */
const usual: Readonly<Record<BucketSize, number>> = { minute: 60, hour: 24, day: 30 }

/** When the bucket begins that a moment is in. */
const bucketOf = (at: number, size: BucketSize): number => at - (at % bucketMs[size])

/**
 * The range that was asked for. Without an end it ends with the bucket of this moment; without a beginning it is 60 minutes, 24 hours or
 * 30 days long. Throws `invalid-input` when nothing is in it.
 */
export const rangeOf = (
  asked: { readonly from?: string | undefined; readonly to?: string | undefined },
  size: BucketSize,
  now: number,
): Range => {
  const to = asked.to === undefined ? bucketOf(now, size) + bucketMs[size] : Date.parse(asked.to)
  const from =
    asked.from === undefined
      ? Math.max(0, to - usual[size] * bucketMs[size])
      : Date.parse(asked.from)
  if (from < to) return { from, to }
  const pointer = asked.from === undefined ? '/to' : '/from'
  const message = 'The range ends before it begins, or as it does'
  throw failure('invalid-input', `${pointer}: ${message}`, {
    data: { errors: [{ pointer, message }] },
  })
}

export interface Bucket extends Range {
  /** When the bucket begins; `from` and `to` say which part of it is asked for. */
  readonly at: number
}

/** The buckets of a range, in order. Throws TooManyBuckets. */
export const bucketsOf = ({ from, to }: Range, size: BucketSize): readonly Bucket[] => {
  const first = bucketOf(from, size)
  const count = Math.ceil((to - first) / bucketMs[size])
  if (count > maxBuckets)
    throw TooManyBuckets(
      { buckets: count, limit: maxBuckets },
      `The range has ${count} buckets; ${maxBuckets} are listed at most`,
    )
  return Array.from({ length: count }, (_, index) => {
    const at = first + index * bucketMs[size]
    return { at, from: Math.max(from, at), to: Math.min(to, at + bucketMs[size]) }
  })
}

import { rfc3339 } from 'serval'

/** A record as its row is read: what may be undefined is null there. */
export type Row<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> | NullOf<T[K]> }
type NullOf<V> = undefined extends V ? null : never

export const time = (ms: number | undefined) => (ms === undefined ? null : rfc3339(ms))

/** Rows that one run of a job deletes at most: it is soon over, and the next run goes on. */
export const pruned = 10_000

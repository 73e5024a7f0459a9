import type { z } from 'zod'

/** A kind of fact that a service publishes. */
export interface EventType<Name extends string = string, Data extends z.ZodType = z.ZodType> {
  readonly name: Name
  readonly version: number
  /** The field of the data by which messages keep their order. */
  readonly key: string
  readonly data: Data
  /** Tags whose cached entries are dropped when it is published; `:field` is taken from the data. */
  readonly purges: readonly string[]
}

/** An event type as part of a contract: it knows who publishes it. */
export interface PublishedEvent<
  Name extends string = string,
  Data extends z.ZodType = z.ZodType,
> extends EventType<Name, Data> {
  /** The publishing contract's name. */
  readonly source: string
  /** `name.v<version>`: the CloudEvents type. */
  readonly type: string
}

/**
 * Declares an event. Within a version only optional fields may be added. Data carries ids and numbers, never names,
 * addresses, secrets or tokens.
 */
export const event = <const Name extends string, Data extends z.ZodType<Record<string, unknown>>>(
  name: Name,
  options: {
    readonly version: number
    readonly key: keyof z.output<Data> & string
    readonly data: Data
    readonly purges?: readonly string[]
  },
): EventType<Name, Data> =>
  Object.freeze({ name, ...options, purges: Object.freeze([...(options.purges ?? [])]) })

/** A published fact: the attributes of CloudEvents 1.0 by their own names, and its place in the publisher's log. */
export interface Message<Data = unknown> {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  /** The key: messages of one subject are handled in order. */
  readonly subject: string
  /** RFC 3339, UTC. */
  readonly time: string
  readonly data: Data
  /** The request that led to it. */
  readonly correlationid: string
  readonly partition: number
  /** Counted from 1 without gaps, per partition. */
  readonly position: number
}

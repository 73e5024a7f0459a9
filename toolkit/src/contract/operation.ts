import { z } from 'zod'
import { milliseconds, type Duration } from '../base/duration.ts'
import { failure } from '../base/failure.ts'
import type { HttpBinding } from './binding.ts'
import type { Problem } from './problem.ts'

/**
 * Who may call: anyone, any signed-in user, a user with a role, the operator (on the operator's address only), or
 * nobody but the system's own services.
 */
export type Access = 'public' | 'user' | `role:${string}` | 'operator' | 'internal'

/**
 * What makes a second run of a command harmless: `key` (the caller's idempotency key is remembered with the reply),
 * `natural` (the handler's own unique rows make it so), `never` (nothing does: it is not retried).
 */
export type Repeat = 'key' | 'natural' | 'never'

/** How long, and under which tags, caches may keep what a public query answered. */
export interface CacheRule {
  readonly ttlMs: number
  /** How much longer it may be answered while it is fetched anew; never past a purge. */
  readonly staleWhileRevalidateMs: number
  /** `:field` is taken from the input. Events that name a tag in `purges` drop what bears it. */
  readonly tags: readonly string[]
}

/** How often one caller may call: `by` a client's address, or by the user (the address of those who are not signed in). */
export interface LimitRule {
  readonly requests: number
  readonly perMs: number
  readonly by: 'address' | 'caller'
}

export interface Operation<
  Kind extends 'query' | 'command' | 'feed' = 'query' | 'command' | 'feed',
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> {
  readonly kind: Kind
  readonly summary: string
  readonly access: Access
  readonly input: Input
  /** Of a feed: one item. */
  readonly output: Output
  readonly problems: readonly Problem[]
  readonly http: HttpBinding | undefined
  readonly repeat: Repeat
  /** How long a caller waits who says nothing else. */
  readonly deadlineMs: number
  readonly cache: CacheRule | undefined
  /** Beside the edge's own limits. */
  readonly limit: LimitRule | undefined
}

interface OperationOptions<Input extends z.ZodType, Output extends z.ZodType> {
  /** One line for the reference pages. */
  readonly summary: string
  readonly access: Access
  readonly input: Input
  readonly output: Output
  readonly problems?: readonly Problem[]
  /** An internal operation is served at no address: its binding says how a foreign service offers it. */
  readonly http?: HttpBinding
  /** Default 5s. */
  readonly deadline?: Duration
  readonly limit?: {
    readonly requests: number
    readonly per: Duration
    readonly by: LimitRule['by']
  }
}

interface QueryOptions<I extends z.ZodType, O extends z.ZodType> extends OperationOptions<I, O> {
  /** For public queries bound to GET only. */
  readonly cache?: {
    readonly ttl: Duration
    readonly staleWhileRevalidate?: Duration
    readonly tags: readonly string[]
  }
}

const limitRule = (limit: OperationOptions<z.ZodType, z.ZodType>['limit']) => {
  if (limit === undefined) return undefined
  const { requests, per, by } = limit
  if (!Number.isInteger(requests) || requests < 1 || requests > 1_000_000)
    throw failure(
      'misconfigured',
      `limit.requests is a whole number from 1 to 1000000; it is ${requests}`,
    )
  const perMs = milliseconds(per, 'limit.per')
  if (!Number.isInteger(perMs) || perMs < 1)
    throw failure('misconfigured', `limit.per is at least a millisecond; it is ${per}`)
  return Object.freeze({ requests, perMs, by })
}

const cacheRule = (options: QueryOptions<z.ZodType, z.ZodType>): CacheRule | undefined => {
  const { cache, access, http, summary } = options
  if (cache === undefined) return undefined
  // What depends on the caller is shared with nobody.
  if (access !== 'public' || http?.method !== 'GET')
    throw failure(
      'misconfigured',
      `cache is for public queries bound to GET; “${summary}” is for ${access}${http === undefined ? '' : `, bound to ${http.method}`}`,
    )
  return Object.freeze({
    ttlMs: milliseconds(cache.ttl, 'cache.ttl'),
    staleWhileRevalidateMs:
      cache.staleWhileRevalidate === undefined
        ? 0
        : milliseconds(cache.staleWhileRevalidate, 'cache.staleWhileRevalidate'),
    tags: Object.freeze([...cache.tags]),
  })
}

const operation = <Kind extends Operation['kind'], I extends z.ZodType, O extends z.ZodType>(
  kind: Kind,
  options: QueryOptions<I, O>,
  repeat: Repeat,
): Operation<Kind, I, O> =>
  Object.freeze({
    kind,
    summary: options.summary,
    access: options.access,
    input: options.input,
    output: options.output,
    problems: Object.freeze([...(options.problems ?? [])]),
    http: options.http,
    repeat,
    deadlineMs: milliseconds(options.deadline ?? '5s', 'deadline'),
    cache: cacheRule(options),
    limit: limitRule(options.limit),
  })

/** A safe operation: it changes nothing, so it may be cached and retried. */
export const query = <I extends z.ZodType, O extends z.ZodType>(
  options: QueryOptions<I, O>,
): Operation<'query', I, O> => operation('query', options, 'natural')

/** An operation that changes state. It is retried only when `repeat` says that a second run is harmless. */
export const command = <I extends z.ZodType, O extends z.ZodType>(
  options: OperationOptions<I, O> & { readonly repeat: Repeat },
): Operation<'command', I, O> => operation('command', options, options.repeat)

/** A stream of items, each with a position from which a later call resumes (`after`). */
export const feed = <I extends z.ZodType, O extends z.ZodType>(
  options: OperationOptions<I, O>,
): Operation<'feed', I, O> => operation('feed', options, 'natural')

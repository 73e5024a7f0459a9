import { z } from 'zod'
import { milliseconds, type Duration } from '../base/duration.ts'
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
}

interface OperationOptions<Input extends z.ZodType, Output extends z.ZodType> {
  /** One line for the reference pages. */
  readonly summary: string
  readonly access: Access
  readonly input: Input
  readonly output: Output
  readonly problems?: readonly Problem[]
  readonly http?: HttpBinding
  /** Default 5s. */
  readonly deadline?: Duration
}

const operation = <Kind extends Operation['kind'], I extends z.ZodType, O extends z.ZodType>(
  kind: Kind,
  options: OperationOptions<I, O>,
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
  })

/** A safe operation: it changes nothing, so it may be cached and retried. */
export const query = <I extends z.ZodType, O extends z.ZodType>(
  options: OperationOptions<I, O>,
): Operation<'query', I, O> => operation('query', options, 'natural')

/** An operation that changes state. It is retried only when `repeat` says that a second run is harmless. */
export const command = <I extends z.ZodType, O extends z.ZodType>(
  options: OperationOptions<I, O> & { readonly repeat: Repeat },
): Operation<'command', I, O> => operation('command', options, options.repeat)

/** A stream of items, each with a position from which a later call resumes (`after`). */
export const feed = <I extends z.ZodType, O extends z.ZodType>(
  options: OperationOptions<I, O>,
): Operation<'feed', I, O> => operation('feed', options, 'natural')

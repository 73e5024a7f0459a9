import type { z } from 'zod'
import { milliseconds, type Duration } from '../base/duration.ts'
import { failure } from '../base/failure.ts'
import type {
  Contract,
  HandlerOutputOf,
  InputOf,
  Message,
  PublishedEvent,
} from '../contract/index.ts'
import type { RepositoryType } from '../store/repository.ts'
import type { Context, PortTypes, RepositoryTypes, Uses } from './context.ts'

type AnyContext = Context<Uses, RepositoryTypes, PortTypes>

export interface Subscription<C> {
  readonly event: PublishedEvent
  readonly from: 'oldest' | 'now'
  readonly handle: (message: Message, context: C) => Promise<unknown>
}

export interface Job<C> {
  readonly name: string
  /** Milliseconds between two runs; undefined for a job that steps set. */
  readonly everyMs: number | undefined
  readonly run: (data: unknown, context: C) => Promise<unknown>
}

/** Subscribes to an event. All subscriptions of a service to one publisher share a cursor, so that order per key holds across event types. */
export type On<C> = <E extends PublishedEvent>(
  event: E,
  handle: (message: Message<z.output<E['data']>>, context: C) => Promise<unknown>,
  options?: { readonly from?: 'oldest' | 'now' },
) => Subscription<C>

export interface Jobs<C> {
  /** Runs every so often, by one host at a time. */
  every(name: string, interval: Duration, run: (context: C) => Promise<unknown>): Job<C>
  /** Runs when a step has set it. */
  once<D extends z.ZodType>(
    name: string,
    data: D,
    run: (data: z.output<D>, context: C) => Promise<unknown>,
  ): Job<C>
}

export interface ServiceParts<
  K extends Contract,
  U extends Uses,
  R extends RepositoryTypes,
  P extends PortTypes,
> {
  /** Contracts of the services that the handlers call. */
  readonly uses?: U
  readonly repositories?: R
  readonly ports?: P
  readonly operations: {
    readonly [O in keyof K['operations']]: (
      input: InputOf<K['operations'][O]>,
      context: Context<U, R, P>,
    ) => K['operations'][O]['kind'] extends 'feed'
      ? // A promise of it, where a failure is to come before the first item.
        | AsyncIterable<HandlerOutputOf<K['operations'][O]>>
        | Promise<AsyncIterable<HandlerOutputOf<K['operations'][O]>>>
      : Promise<HandlerOutputOf<K['operations'][O]>>
  }
  readonly subscriptions?: (on: On<Context<U, R, P>>) => readonly Subscription<Context<U, R, P>>[]
  readonly jobs?: (jobs: Jobs<Context<U, R, P>>) => readonly Job<Context<U, R, P>>[]
}

/** A service as hosts see it: the types of its parts are forgotten, they were checked where it was defined. */
export interface Service {
  readonly contract: Contract
  readonly uses: Uses
  readonly repositories: Readonly<Record<string, RepositoryType>>
  readonly ports: readonly string[]
  readonly operations: Readonly<
    Record<
      string,
      (input: unknown, context: AnyContext) => Promise<unknown> | AsyncIterable<unknown>
    >
  >
  readonly subscriptions: readonly Subscription<AnyContext>[]
  readonly jobs: readonly Job<AnyContext>[]
}

const reserved = new Set(['env', 'emit', 'schedule', 'unschedule', 'forgetReplies'])

/** Implements a contract. It starts nothing: a host does. */
export const service = <
  K extends Contract,
  U extends Uses = Record<never, never>,
  R extends RepositoryTypes = Record<never, never>,
  P extends PortTypes = Record<never, never>,
>(
  contract: K,
  parts: ServiceParts<K, U, R, P>,
): Service => {
  for (const name of Object.keys(parts.repositories ?? {}))
    if (reserved.has(name))
      throw failure('misconfigured', `${contract.name}: a repository may not be called ${name}`)
  for (const name of Object.keys(contract.operations))
    if (!(name in parts.operations))
      throw failure('misconfigured', `${contract.name}: the operation ${name} has no handler`)
  const published = new Set<string>()
  const on: On<Context<U, R, P>> = (event, handle, options) => {
    const id = `${event.source}.${event.type}`
    if (published.has(id))
      throw failure(
        'misconfigured',
        `${contract.name} subscribes to ${id} twice; one handler makes one step`,
      )
    published.add(id)
    return {
      event,
      from: options?.from ?? 'oldest',
      handle: handle as Subscription<Context<U, R, P>>['handle'],
    }
  }
  const jobs: Jobs<Context<U, R, P>> = {
    every: (name, interval, run) => ({
      name,
      everyMs: milliseconds(interval, `${contract.name}.${name}`),
      run: (_, context) => run(context),
    }),
    once: (name, data, run) => ({
      name,
      everyMs: undefined,
      run: (given, context) => run(data.parse(given), context),
    }),
  }
  // The one place where a service's own types are forgotten: hosts hand each handler the context that its parts declare.
  return Object.freeze({
    contract,
    uses: parts.uses ?? {},
    repositories: parts.repositories ?? {},
    ports: Object.keys(parts.ports ?? {}),
    operations: parts.operations,
    subscriptions: parts.subscriptions?.(on) ?? [],
    jobs: parts.jobs?.(jobs) ?? [],
  }) as unknown as Service
}

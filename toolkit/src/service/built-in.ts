import type { Env } from '../base/env.ts'
import type { Message } from '../contract/index.ts'
import type { LogSource } from '../events/log-source.ts'
import { valueOf, type Link } from '../link/call.ts'
import type { Position, Store } from '../store/store.ts'

/*
 * What every service answers beside its contract's operations, to services and the operator alone: its log is read, and its parked messages
 * are seen to, through its link, never by its tables.
 */

interface ReadInput {
  readonly after: readonly Position[]
  readonly limit: number
}
interface ReportInput {
  readonly subscription: string
  readonly positions: readonly Position[]
}
interface KeyInput {
  readonly publisher: string
  readonly key: string
}

/** A message that failed five times, as the operator sees it: without its data. */
export interface ParkedMessage {
  readonly publisher: string
  readonly key: string
  readonly type: string
  readonly position: number
  readonly partition: number
  readonly failures: number
  readonly error: string | undefined
}

export const builtInOperations = (
  service: string,
  store: Store,
  env: Env,
): Readonly<Record<string, (input: unknown) => Promise<unknown>>> => {
  const { log, subscriptions } = store
  const onParked = (act: 'replay' | 'discard') => async (input: unknown) => {
    const { publisher, key } = input as KeyInput
    const done = await subscriptions.held.tries[act](
      { subscription: service, publisher },
      key,
      env.now(),
    )
    return { done }
  }
  return {
    '$log.read': (input) =>
      log.read((input as ReadInput).after, Math.min(256, (input as ReadInput).limit)),
    '$log.heads': () => log.heads(),
    '$log.report': (input) =>
      log.readers.report((input as ReportInput).subscription, (input as ReportInput).positions),
    '$log.readers': () => log.readers.list(),
    '$log.forget': (input) => log.readers.forget((input as ReportInput).subscription),
    '$parked.list': async (): Promise<readonly ParkedMessage[]> =>
      (await subscriptions.held.tries.parked()).map((held) => ({
        publisher: held.publisher,
        key: held.message.subject,
        type: held.message.type,
        position: held.position,
        partition: held.partition,
        failures: held.failures,
        error: held.error,
      })),
    '$parked.replay': onParked('replay'),
    '$parked.discard': onParked('discard'),
  }
}

const ask = async (
  link: Link,
  contract: string,
  operation: string,
  input: unknown,
  { env, caller, correlationId }: { readonly env: Env; caller: string; correlationId: string },
): Promise<unknown> =>
  valueOf(
    await link.call({
      contract,
      operation,
      input,
      caller: { kind: 'service', name: caller },
      key: undefined,
      deadline: env.now() + 5_000,
      signal: new AbortController().signal,
      trace: { correlationId },
      strict: false,
      target: `${contract}.${operation}`,
      repeatable: operation !== '$parked.discard',
    }),
  )

/** The log of `publisher` as the service `reader` reaches it over a link. */
export const logSource = (link: Link, publisher: string, reader: string, env: Env): LogSource => {
  const about = { env, caller: reader, correlationId: `${reader}-reads-${publisher}` }
  const call = (operation: string, input: unknown) => ask(link, publisher, operation, input, about)
  return {
    read: (after, limit) => call('$log.read', { after, limit }) as Promise<readonly Message[]>,
    heads: () => call('$log.heads', {}) as Promise<readonly Position[]>,
    report: (subscription, positions) =>
      call('$log.report', { subscription, positions }) as Promise<void>,
  }
}

export interface ReaderPosition extends Position {
  readonly subscription: string
}

/** What an operator sees to in one service, reached over a link. */
export interface ServiceCare {
  parked(): Promise<readonly ParkedMessage[]>
  /** Whether there was a parked message of that key. */
  settle(act: 'replay' | 'discard', publisher: string, key: string): Promise<boolean>
  readers(): Promise<readonly ReaderPosition[]>
  forget(subscription: string): Promise<void>
}

export const careFor = (
  link: Link,
  service: string,
  about: { readonly env: Env; readonly caller: string; readonly correlationId: string },
): ServiceCare => {
  const call = (operation: string, input: unknown) => ask(link, service, operation, input, about)
  return {
    parked: () => call('$parked.list', {}) as Promise<readonly ParkedMessage[]>,
    settle: async (act, publisher, key) => {
      const { done } = (await call(`$parked.${act}`, { publisher, key })) as { done: boolean }
      return done
    },
    readers: () => call('$log.readers', {}) as Promise<readonly ReaderPosition[]>,
    forget: (subscription) => call('$log.forget', { subscription }) as Promise<void>,
  }
}

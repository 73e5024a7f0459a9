import { z } from 'zod'
import type { Env } from '../base/env.ts'
import { validInput, type Message } from '../contract/index.ts'
import type { LogSource } from '../events/log-source.ts'
import { never } from '../guard/index.ts'
import { valueOf, type Link } from '../link/call.ts'
import type { Position, Store } from '../store/store.ts'

/*
 * What every service answers beside its contract's operations, to services and the operator alone: its log is read, and its parked messages
 * are seen to, through its link, never by its tables.
 */

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

export interface ReaderPosition extends Position {
  readonly subscription: string
}

const Positions = z.array(z.object({ partition: z.int().min(0), position: z.int().min(0) }))
const Nothing = z.object({})
const Key = z.object({ publisher: z.string(), key: z.string() })

const inputs = {
  '$log.read': z.object({
    after: Positions,
    limit: z.int().min(1),
    types: z.array(z.string()).optional(),
  }),
  '$log.heads': Nothing,
  '$log.report': z.object({ subscription: z.string(), positions: Positions }),
  '$log.readers': Nothing,
  '$log.forget': z.object({ subscription: z.string() }),
  '$parked.list': Nothing,
  '$parked.replay': Key,
  '$parked.discard': Key,
} as const satisfies Record<string, z.ZodType>

interface Outputs {
  '$log.read': readonly Message[]
  '$log.heads': readonly Position[]
  '$log.report': void
  '$log.readers': readonly ReaderPosition[]
  '$log.forget': void
  '$parked.list': readonly ParkedMessage[]
  /** Whether there was a parked message of that key. */
  '$parked.replay': boolean
  '$parked.discard': boolean
}

type BuiltIn = keyof Outputs
type InputOf<O extends BuiltIn> = z.output<(typeof inputs)[O]>

const mostRead = 256

export const builtInOperations = (
  service: string,
  { log, subscriptions }: Store,
  env: Env,
): ReadonlyMap<string, (input: unknown) => Promise<unknown>> => {
  const operations = new Map<string, (input: unknown) => Promise<unknown>>()
  const on = <S extends z.ZodType>(
    name: BuiltIn,
    schema: S,
    answer: (input: z.output<S>) => Promise<Outputs[BuiltIn]>,
  ) => operations.set(name, async (input) => answer(validInput(schema, input, false)))
  const held = subscriptions.held.tries
  const id = (publisher: string) => ({ subscription: service, publisher })
  on('$log.read', inputs['$log.read'], ({ after, limit, types }) =>
    log.read(after, Math.min(mostRead, limit), types),
  )
  on('$log.heads', inputs['$log.heads'], () => log.heads())
  on('$log.report', inputs['$log.report'], ({ subscription, positions }) =>
    log.readers.report(subscription, positions),
  )
  on('$log.readers', inputs['$log.readers'], () => log.readers.list())
  on('$log.forget', inputs['$log.forget'], ({ subscription }) => log.readers.forget(subscription))
  on('$parked.replay', inputs['$parked.replay'], ({ publisher, key }) =>
    held.replay(id(publisher), key, env.now()),
  )
  on('$parked.discard', inputs['$parked.discard'], ({ publisher, key }) =>
    held.discard(id(publisher), key, env.now()),
  )
  on('$parked.list', inputs['$parked.list'], async () =>
    (await held.parked()).map(({ message, ...one }) => ({
      publisher: one.publisher,
      key: message.subject,
      type: message.type,
      position: one.position,
      partition: one.partition,
      failures: one.failures,
      error: one.error,
    })),
  )
  return operations
}

interface Asking {
  readonly env: Env
  /** The service that asks. */
  readonly caller: string
  readonly correlationId: string
}

const asking =
  (link: Link, service: string, { env, caller, correlationId }: Asking) =>
  async <O extends BuiltIn>(operation: O, input: InputOf<O>): Promise<Outputs[O]> =>
    // What another host answers is what builtInOperations gave it: it is not validated message by message.
    valueOf(
      await link.call({
        contract: service,
        operation,
        input,
        caller: { kind: 'service', name: caller },
        key: undefined,
        deadline: env.now() + 5_000,
        signal: never,
        trace: { correlationId },
        strict: false,
        target: `${service}.${operation}`,
        repeatable: operation !== '$parked.discard',
      }),
    ) as Outputs[O]

/** The log of `publisher` as the service `reader` reaches it over a link. */
export const logSource = (link: Link, publisher: string, reader: string, env: Env): LogSource => {
  const about = { env, caller: reader, correlationId: `${reader}-reads-${publisher}` }
  const ask = asking(link, publisher, about)
  return {
    read: (after, limit, types) =>
      ask('$log.read', { after: [...after], limit, types: types && [...types] }),
    heads: () => ask('$log.heads', {}),
    report: (subscription, positions) =>
      ask('$log.report', { subscription, positions: [...positions] }),
  }
}

/** What an operator sees to in one service, reached over a link. */
export interface ServiceCare {
  parked(): Promise<readonly ParkedMessage[]>
  /** Whether there was a parked message of that key. */
  settle(act: 'replay' | 'discard', publisher: string, key: string): Promise<boolean>
  readers(): Promise<readonly ReaderPosition[]>
  forget(subscription: string): Promise<void>
}

export const careFor = (link: Link, service: string, about: Asking): ServiceCare => {
  const ask = asking(link, service, about)
  return {
    parked: () => ask('$parked.list', {}),
    settle: (act, publisher, key) => ask(`$parked.${act}`, { publisher, key }),
    readers: () => ask('$log.readers', {}),
    forget: (subscription) => ask('$log.forget', { subscription }),
  }
}

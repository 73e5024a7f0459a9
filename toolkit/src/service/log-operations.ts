import type { Env } from '../base/env.ts'
import type { LogSource } from '../events/log-source.ts'
import type { Message } from '../contract/index.ts'
import { valueOf, type Link } from '../link/call.ts'
import type { Log, Position } from '../store/store.ts'

/*
 * Every service answers three operations beside its contract's, for services alone: its log is read through its link,
 * never from its tables.
 */

interface ReadInput {
  readonly after: readonly Position[]
  readonly limit: number
}
interface ReportInput {
  readonly subscription: string
  readonly positions: readonly Position[]
}

export const logOperations = (
  log: Log,
): Readonly<Record<string, (input: unknown) => Promise<unknown>>> => ({
  '$log.read': (input) =>
    log.read((input as ReadInput).after, Math.min(256, (input as ReadInput).limit)),
  '$log.heads': () => log.heads(),
  '$log.report': (input) =>
    log.readers.report((input as ReportInput).subscription, (input as ReportInput).positions),
})

/** The log of `publisher` as the service `reader` reaches it over a link. */
export const logSource = (link: Link, publisher: string, reader: string, env: Env): LogSource => {
  const ask = async (operation: string, input: unknown) =>
    valueOf(
      await link.call({
        contract: publisher,
        operation,
        input,
        caller: { kind: 'service', name: reader },
        key: undefined,
        deadline: env.now() + 5_000,
        signal: new AbortController().signal,
        trace: { correlationId: `${reader}-reads-${publisher}` },
        strict: false,
        target: `${publisher}.${operation}`,
        repeatable: true,
      }),
    )
  return {
    read: (after, limit) => ask('$log.read', { after, limit }) as Promise<readonly Message[]>,
    heads: () => ask('$log.heads', {}) as Promise<readonly Position[]>,
    report: (subscription, positions) =>
      ask('$log.report', { subscription, positions }) as Promise<void>,
  }
}

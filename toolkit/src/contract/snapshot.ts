import { z } from 'zod'
import { failure } from '../base/failure.ts'
import type { Contract } from './contract.ts'
import { jsonSchema } from './json-schema.ts'

const Schema = z.record(z.string(), z.unknown())
const Http = z.object({
  method: z.string(),
  path: z.string(),
  status: z.int(),
  location: z.string().optional(),
  etag: z.boolean(),
  ifMatch: z.boolean(),
})

/** The form of the file; a later form reads the earlier ones. */
const format = 1

/**
 * What contracts promise, as data: it can be kept in a file and compared with what they promise later. Words for people
 * (summaries, titles) and what may change at any time (deadlines, limits, cache times) are left out.
 */
export const ContractsSnapshot = z.object({
  format: z.literal(format),
  contracts: z.record(
    z.string(),
    z.object({
      operations: z.record(
        z.string(),
        z.object({
          kind: z.enum(['query', 'command', 'feed']),
          access: z.string(),
          repeat: z.enum(['key', 'natural', 'never']),
          http: Http.optional(),
          input: Schema,
          output: Schema,
          /** By code. */
          problems: z.record(z.string(), z.object({ kind: z.string(), data: Schema })),
        }),
      ),
      /** By type: `name.v<version>`. */
      events: z.record(
        z.string(),
        z.object({ key: z.string(), purges: z.array(z.string()), data: Schema }),
      ),
    }),
  ),
})
export type ContractsSnapshot = z.output<typeof ContractsSnapshot>
export type ContractSnapshot = ContractsSnapshot['contracts'][string]
export type OperationSnapshot = ContractSnapshot['operations'][string]
export type EventSnapshot = ContractSnapshot['events'][string]

const byName = <T>(entries: readonly (readonly [string, T])[]): Record<string, T> =>
  Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))

const snapshotOf = (contract: Contract): ContractSnapshot => ({
  operations: byName(
    Object.entries(contract.operations).map(([name, one]) => [
      name,
      {
        kind: one.kind,
        access: one.access,
        repeat: one.repeat,
        // Through JSON, so that what was kept and what is now look alike: without what is undefined.
        ...(one.http === undefined ? {} : { http: Http.parse(one.http) }),
        input: jsonSchema(one.input, 'input'),
        output: jsonSchema(one.output, 'output'),
        problems: byName(
          one.problems.map(({ code, kind, data }) => [
            code,
            { kind, data: jsonSchema(data, 'output') },
          ]),
        ),
      },
    ]),
  ),
  events: byName(
    Object.values(contract.events).map((event) => [
      event.type,
      {
        key: event.key,
        purges: event.purges.toSorted(),
        data: jsonSchema(event.data, 'output'),
      },
    ]),
  ),
})

/** What contracts promise now. */
export const contractsSnapshot = (contracts: readonly Contract[]): ContractsSnapshot =>
  // Through JSON, so that it equals one that was read from a file.
  ContractsSnapshot.parse(
    JSON.parse(
      JSON.stringify({
        format,
        contracts: byName(contracts.map((one) => [one.name, snapshotOf(one)])),
      }),
    ),
  )

/** A snapshot from the text of a file; `source` names it in the failure `misconfigured`. */
export const readSnapshot = (text: string, source: string): ContractsSnapshot => {
  try {
    return ContractsSnapshot.parse(JSON.parse(text))
  } catch (cause) {
    throw failure(
      'misconfigured',
      `${source} is not a snapshot of contracts that this version reads: take it from version control again`,
      { cause },
    )
  }
}

import { z } from 'zod'
import { failure } from '../base/failure.ts'
import type { EventType, PublishedEvent } from './event.ts'
import type { Operation } from './operation.ts'
import { tagFields } from './tag.ts'

export type Operations = Readonly<Record<string, Operation>>
export type Events = Readonly<Record<string, EventType>>

/** What a service promises: operations, events and problems with their schemas; no implementation. */
export interface Contract<
  Name extends string = string,
  Ops extends Operations = Operations,
  Evs extends Events = Events,
> {
  readonly name: Name
  readonly operations: Ops
  readonly events: { readonly [K in keyof Evs]: PublishedEvent<Evs[K]['name'], Evs[K]['data']> }
}

export type InputOf<Op extends Operation> = z.output<Op['input']>
export type SentInputOf<Op extends Operation> = z.input<Op['input']>
export type OutputOf<Op extends Operation> = z.output<Op['output']>
export type HandlerOutputOf<Op extends Operation> = z.input<Op['output']>

const nameForm = /^[a-z][a-z0-9-]{0,62}$/

/** Declares a contract. A wrong name, a query bound to an unsafe method and the like fail here, at start. */
export const contract = <
  const Name extends string,
  Ops extends Operations,
  Evs extends Events = Record<never, never>,
>(
  name: Name,
  parts: { readonly operations: Ops; readonly events?: Evs },
): Contract<Name, Ops, Evs> => {
  if (!nameForm.test(name))
    throw failure(
      'misconfigured',
      `a contract's name is a lower-case word of at most 63 letters, digits and hyphens; it is ${JSON.stringify(name)}`,
    )
  for (const [id, operation] of Object.entries(parts.operations)) {
    const method = operation.http?.method
    // POST also carries a query whose input does not fit into a URL.
    const fits =
      operation.kind === 'command' ? method !== 'GET' : method === 'GET' || method === 'POST'
    if (method !== undefined && !fits)
      throw failure(
        'misconfigured',
        `${name}.${id} is a ${operation.kind}; ${method} does not fit it`,
      )
    const { cache, input } = operation
    for (const field of (cache?.tags ?? []).flatMap(tagFields))
      if (!(input instanceof z.ZodObject) || !(field in input.shape))
        throw failure(
          'misconfigured',
          `${name}.${id} is cached by :${field}, which is no field of its input`,
        )
    if (operation.http?.ifMatch === true && method === 'GET')
      throw failure('misconfigured', `${name}.${id} is bound to GET; If-Match is for changes`)
  }
  for (const [id, { data, purges }] of Object.entries(parts.events ?? {}))
    for (const field of purges.flatMap(tagFields))
      if (!(data instanceof z.ZodObject) || !(field in data.shape))
        throw failure(
          'misconfigured',
          `${name}.${id} purges by :${field}, which is no field of its data`,
        )
  const events = Object.fromEntries(
    Object.entries(parts.events ?? {}).map(([id, type]) => [
      id,
      Object.freeze({ ...type, source: name, type: `${type.name}.v${type.version}` }),
    ]),
  )
  return Object.freeze({
    name,
    operations: Object.freeze({ ...parts.operations }),
    events: Object.freeze(events) as Contract<Name, Ops, Evs>['events'],
  })
}

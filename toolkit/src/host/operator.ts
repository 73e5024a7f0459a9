import { z } from 'zod'
import { failure } from '../base/failure.ts'
import { validInput } from '../contract/index.ts'
import { command, contract, get, post, problem, query } from '../contract/index.ts'
import type { Link } from '../link/call.ts'
import { authorize } from '../service/access.ts'
import type { Store } from '../store/store.ts'
import type { Env } from '../base/env.ts'

export const NothingParked = problem('nothing-parked', {
  kind: 'not-found',
  title: 'This subscription has no parked message of that key',
})

const Parked = z.object({
  service: z.string(),
  publisher: z.string(),
  key: z.string(),
  type: z.string(),
  position: z.int(),
  partition: z.int(),
  failures: z.int(),
  error: z.string().optional(),
})
const ParkedKey = z.object({ service: z.string(), publisher: z.string(), key: z.string() })

/** What an operator does with a running host, beside what its services offer: messages that were parked, and readers of logs. */
export const control = contract('control', {
  operations: {
    parked: query({
      summary: 'Messages that failed five times, with their errors',
      access: 'operator',
      http: get('/operator/v1/parked'),
      input: z.object({}),
      output: z.object({ items: z.array(Parked) }),
    }),
    replay: command({
      summary: 'Tries a parked key again, from its first message',
      access: 'operator',
      repeat: 'natural',
      http: post('/operator/v1/parked/replay', { status: 204 }),
      input: ParkedKey,
      output: z.undefined(),
      problems: [NothingParked],
    }),
    discard: command({
      summary: 'Lets go of the first parked message of a key',
      access: 'operator',
      repeat: 'never',
      http: post('/operator/v1/parked/discard', { status: 204 }),
      input: ParkedKey,
      output: z.undefined(),
      problems: [NothingParked],
    }),
    readers: query({
      summary: 'Who reads each service’s events, and how far they are',
      access: 'operator',
      http: get('/operator/v1/readers'),
      input: z.object({}),
      output: z.object({
        items: z.array(
          z.object({
            publisher: z.string(),
            subscription: z.string(),
            partition: z.int(),
            position: z.int(),
          }),
        ),
      }),
    }),
    forget: command({
      summary:
        'Lets go of a dead subscription, so that its publisher need not keep what it never read',
      access: 'operator',
      repeat: 'natural',
      http: post('/operator/v1/readers/forget', { status: 204 }),
      input: z.object({ publisher: z.string(), subscription: z.string() }),
      output: z.undefined(),
    }),
  },
})

type Handlers = Readonly<Record<string, (input: never) => Promise<unknown>>>

const handlers = (stores: ReadonlyMap<string, Store>, env: Env): Handlers => {
  const storeOf = (field: 'service' | 'publisher', name: string) => {
    const store = stores.get(name)
    if (store === undefined)
      throw failure('invalid-input', `/${field}: ${name} does not run here`, {
        data: { errors: [{ pointer: `/${field}`, message: 'No service of this name runs here' }] },
      })
    return store
  }
  type Key = z.output<typeof ParkedKey>
  const onParked =
    (act: 'replay' | 'discard') =>
    async ({ service, publisher, key }: Key) => {
      const done = await storeOf('service', service).subscriptions.held.tries[act](
        { subscription: service, publisher },
        key,
        env.now(),
      )
      if (!done) throw NothingParked(undefined)
    }
  return {
    parked: async () => {
      const rows = await Promise.all(
        [...stores].map(async ([service, store]) =>
          (await store.subscriptions.held.tries.parked()).map((held) => ({ service, held })),
        ),
      )
      return {
        items: rows.flat().map(({ service, held }) => ({
          service,
          publisher: held.publisher,
          key: held.message.subject,
          type: held.message.type,
          position: held.position,
          partition: held.partition,
          failures: held.failures,
          error: held.error,
        })),
      }
    },
    replay: onParked('replay'),
    discard: onParked('discard'),
    readers: async () => {
      const rows = await Promise.all(
        [...stores].map(async ([publisher, store]) =>
          (await store.log.readers.list()).map((reader) => ({ publisher, ...reader })),
        ),
      )
      return { items: rows.flat() }
    },
    forget: async ({ publisher, subscription }: { publisher: string; subscription: string }) =>
      storeOf('publisher', publisher).log.readers.forget(subscription),
  }
}

/** A link that answers the control contract itself and passes everything else on. */
export const controlLink = (next: Link, stores: ReadonlyMap<string, Store>, env: Env): Link => {
  const own = handlers(stores, env)
  return {
    call: async (call) => {
      if (call.contract !== control.name) return next.call(call)
      const operation = control.operations[call.operation as keyof typeof control.operations]
      const handle = Object.hasOwn(own, call.operation) ? own[call.operation] : undefined
      if (handle === undefined) throw failure('no-such-operation', `${call.target} does not exist`)
      authorize(operation.access, call.caller)
      // The handler's own type is that of the operation's input, which has just been validated.
      return { value: await handle(validInput(operation.input, call.input, call.strict) as never) }
    },
  }
}

import { z } from 'zod'
import { failure } from '../base/failure.ts'
import { validInput } from '../contract/index.ts'
import { command, contract, get, post, problem, query } from '../contract/index.ts'
import type { Call, Link } from '../link/call.ts'
import { authorize } from '../service/access.ts'
import { careFor, type ServiceCare } from '../service/built-in.ts'
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

type Handlers = Readonly<Record<string, (input: never, call: Call) => Promise<unknown>>>

const handlers = (next: Link, services: readonly string[], system: string, env: Env): Handlers => {
  const careOf = (service: string, { trace }: Call) =>
    careFor(next, service, { env, caller: system, correlationId: trace.correlationId })
  const named = (field: 'service' | 'publisher', name: string, call: Call) => {
    if (services.includes(name)) return careOf(name, call)
    throw failure('invalid-input', `/${field}: there is no service ${name}`, {
      data: { errors: [{ pointer: `/${field}`, message: 'There is no service of this name' }] },
    })
  }
  const ofEach = async <T extends object>(
    call: Call,
    ask: (care: ServiceCare, service: string) => Promise<readonly T[]>,
  ) => {
    const found = services.map((service) => ask(careOf(service, call), service))
    return { items: (await Promise.all(found)).flat() }
  }
  type Key = z.output<typeof ParkedKey>
  const onParked =
    (act: 'replay' | 'discard') =>
    async ({ service, publisher, key }: Key, call: Call) => {
      if (!(await named('service', service, call).settle(act, publisher, key)))
        throw NothingParked(undefined)
    }
  return {
    parked: (_: unknown, call: Call) =>
      ofEach(call, async (care, service) =>
        (await care.parked()).map((parked) => ({ service, ...parked })),
      ),
    replay: onParked('replay'),
    discard: onParked('discard'),
    readers: (_: unknown, call: Call) =>
      ofEach(call, async (care, publisher) =>
        (await care.readers()).map((reader) => ({ publisher, ...reader })),
      ),
    forget: (
      { publisher, subscription }: { publisher: string; subscription: string },
      call: Call,
    ) => named('publisher', publisher, call).forget(subscription),
  }
}

/** A link that answers the control contract itself, by asking the services, and passes everything else on. */
export const controlLink = (
  next: Link,
  services: readonly string[],
  system: string,
  env: Env,
): Link => {
  const own = handlers(next, services, system, env)
  return {
    call: async (call) => {
      if (call.contract !== control.name) return next.call(call)
      const operation = control.operations[call.operation as keyof typeof control.operations]
      const handle = Object.hasOwn(own, call.operation) ? own[call.operation] : undefined
      if (handle === undefined) throw failure('no-such-operation', `${call.target} does not exist`)
      authorize(operation.access, call.caller)
      // The handler's own type is that of the operation's input, which has just been validated.
      const input = validInput(operation.input, call.input, call.strict) as never
      return { value: await handle(input, call) }
    },
  }
}

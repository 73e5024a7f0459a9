import { failure } from '../base/failure.ts'
import { validInput, validOutput, type Message, type Operation } from '../contract/index.ts'
import type { Settlement } from '../events/delivery.ts'
import { bulkhead, compose } from '../guard/index.ts'
import type { Call, Reply } from '../link/call.ts'
import { Superseded, type Frame, type JobRun, type RememberedReply } from '../store/store.ts'
import { authorize } from './access.ts'
import type { Service } from './definition.ts'
import { builtInOperations } from './built-in.ts'
import { remembering } from './remembering.ts'
import { contextsOf, type ServiceRuntime } from './runtime.ts'

/** A service at work: what links, subscriptions and jobs call. */
export interface ServiceServer {
  handle(call: Call): Promise<Reply>
  deliver(message: Message, settlement: Settlement, signal: AbortSignal): Promise<void>
  /** Answers whether the job's step settled it. */
  runJob(job: JobRun, settle: (frame: Frame) => void, signal: AbortSignal): Promise<boolean>
}

type Handler = Service['operations'][string]

/** How long a message's handler and a job may take, calls included. */
const messageMs = 30_000
const nothing = () => undefined

async function* checked(
  operation: Operation,
  items: AsyncIterable<unknown>,
  target: string,
): AsyncIterable<unknown> {
  for await (const item of items) yield validOutput(operation.output, item, target)
}

export const serviceServer = (runtime: ServiceRuntime): ServiceServer => {
  const { service, env, store } = runtime
  const identity = { kind: 'service' as const, name: service.contract.name }
  const contextOf = contextsOf(runtime)

  /** A command under an idempotency key: its reply commits with its step, or the reply of the run that was faster is the answer. */
  const runOnce = async (
    operation: Operation,
    handler: Handler,
    call: Call,
    input: unknown,
  ): Promise<Reply> => {
    const memory = await remembering(operation, call, input, store.replies, env)
    const before = await memory.recall()
    if (before !== undefined) return { remembered: before }
    let reply: RememberedReply | undefined
    const { context, stepped } = contextOf({
      ...call,
      refusable: true,
      settle: (unit, value) =>
        unit.frame.remember(
          (reply = memory.reply(validOutput(operation.output, value, call.target))),
        ),
    })
    try {
      const value = await handler(input, context)
      return stepped() && reply !== undefined
        ? { remembered: reply }
        : { value: validOutput(operation.output, value, call.target) }
    } catch (error) {
      // A guard of the handler's may have failed because the same call, under the same key, had just succeeded.
      const winner = await memory.recall()
      if (winner !== undefined) return { remembered: winner }
      throw error instanceof Superseded ? failure('conflict', undefined, { cause: error }) : error
    }
  }

  const answering =
    (operation: Operation, handler: Handler) =>
    async (call: Call): Promise<Reply> => {
      authorize(operation.access, call.caller)
      const input = validInput(operation.input, call.input, call.strict)
      if (operation.repeat === 'key') return runOnce(operation, handler, call, input)
      const { context } = contextOf({
        caller: call.caller,
        trace: call.trace,
        deadline: call.deadline,
        signal: call.signal,
        settle: nothing,
        refusable: false,
      })
      const value = await handler(input, context)
      if (operation.kind === 'feed')
        return { value: checked(operation, value as AsyncIterable<unknown>, call.target) }
      return { value: validOutput(operation.output, value, call.target) }
    }
  const answers = new Map<string, (call: Call) => Promise<Reply>>()
  for (const [name, operation] of Object.entries(service.contract.operations))
    answers.set(name, answering(operation, service.operations[name]!))
  for (const [name, own] of builtInOperations(service.contract.name, store, env))
    answers.set(name, async (call) => {
      authorize('internal', call.caller)
      return { value: await own(call.input) }
    })
  const answer = (call: Call): Promise<Reply> => {
    const known = answers.get(call.operation)
    if (known !== undefined) return known(call)
    throw failure(
      'no-such-operation',
      `${service.contract.name} has no operation ${call.operation}`,
    )
  }

  return {
    handle: compose([bulkhead(4_096)], answer),
    deliver: async (message, settlement, signal) => {
      const deadline = env.now() + messageMs
      const trace = { correlationId: message.correlationid }
      for (const subscription of service.subscriptions) {
        if (
          subscription.event.source !== message.source ||
          subscription.event.type !== message.type
        )
          continue
        const data = validInput(subscription.event.data, message.data, false)
        const settle = (unit: { readonly frame: Frame }) => settlement.settle(unit.frame)
        const { context } = contextOf({
          caller: identity,
          trace,
          deadline,
          signal,
          settle,
          refusable: true,
          settlement,
        })
        await subscription.handle({ ...message, data }, context)
      }
    },
    runJob: async (job, settle, signal) => {
      const trace = { correlationId: env.id() }
      const cause = {
        caller: identity,
        trace,
        deadline: env.now() + messageMs,
        signal,
        refusable: true,
      }
      const { context, stepped } = contextOf({
        ...cause,
        settle: (unit) => settle(unit.frame),
      })
      const declared = service.jobs.find((one) => one.name === job.name)
      await declared?.run(JSON.parse(job.data), context)
      return stepped()
    },
  }
}

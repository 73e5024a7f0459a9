import { z } from 'zod'
import type { Env } from '../base/env.ts'
import { asFailure, failure } from '../base/failure.ts'
import type { ServiceCache } from '../cache/index.ts'
import { validOutput } from '../contract/index.ts'
import type { Settlement } from '../events/delivery.ts'
import { changesOf, type Broadcast, type EventHub } from '../events/hub.ts'
import { partitionOf } from '../events/partition.ts'
import type { Caller, Link } from '../link/call.ts'
import { clientOf } from '../link/client.ts'
import type { Store, Unit } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import type { Trace } from '../telemetry/trace.ts'
import { scopeOf } from './access.ts'
import type { Context, PortTypes, RepositoryTypes, Step, Uses } from './context.ts'
import type { Service } from './definition.ts'

/** What a host gives a service to run with. */
export interface ServiceRuntime {
  readonly service: Service
  readonly env: Env
  readonly log: Logger
  readonly store: Store
  /** Reaches the services that this one uses, with guards for each operation. */
  readonly link: Link
  readonly ports: Readonly<Record<string, unknown>>
  readonly secret: (purpose: string) => Promise<Uint8Array<ArrayBuffer>>
  readonly cache: ServiceCache
  /** What this process broadcasts, and hears. */
  readonly hub: EventHub
  /** Called after a step that published, or set a job, has committed. */
  readonly published: () => void
  readonly scheduled: () => void
}

/** What a handler was called for. */
export interface Cause {
  readonly caller: Caller
  readonly trace: Trace
  readonly deadline: number
  readonly signal: AbortSignal
  /** Adds to the step what it settles: the reply, the cursor, the job. */
  readonly settle: (unit: Unit, value: unknown) => void
  /** A second run of the step would be refused by what it settles. */
  readonly refusable: boolean
  readonly settlement?: Settlement
}

/** What a step has made besides rows. */
interface Made {
  published: Broadcast[]
  scheduled: boolean
}

export interface ContextOf {
  readonly context: Context<Uses, RepositoryTypes, PortTypes>
  /** Whether the handler's step committed. */
  stepped(): boolean
}

/** The context of one handler's run. */
export const contextOf = (runtime: ServiceRuntime, cause: Cause): ContextOf => {
  const { env, service, store } = runtime
  const log = runtime.log.with({ correlationId: cause.trace.correlationId })
  let state: 'before' | 'inside' | 'after' = 'before'
  let committed = false
  let clients: Record<string, unknown> | undefined

  /** A recurring job keeps its own time: set by a step it would lose it, or run twice. */
  const mayBeSet = (name: string) => {
    const declared = service.jobs.find((job) => job.name === name)
    if (declared === undefined)
      throw failure('internal', `${service.contract.name} has no job ${name}`)
    if (declared.everyMs !== undefined)
      throw failure(
        'internal',
        `${service.contract.name}: the job ${name} runs every ${declared.everyMs} ms; a step sets only jobs declared with once`,
      )
  }

  const stepOn = (unit: Unit, made: Made) =>
    ({
      ...unit.repositories,
      env,
      emit: (type, data) => {
        if (type.source !== service.contract.name)
          throw failure('internal', `${service.contract.name} emits an event of ${type.source}`)
        // Events carry what their schema names, and nothing that slipped in beside it.
        const valid = validOutput(
          type.data as z.ZodType<Record<string, unknown>>,
          data,
          `the event ${type.type}`,
        )
        const key = String(valid[type.key])
        const id = env.id()
        made.published.push({ id, source: type.source, type: type.type, key, data: valid })
        unit.outbox.emit({
          id,
          type: type.type,
          key,
          partition: partitionOf(key),
          data: JSON.stringify(valid),
          at: env.now(),
          correlationId: cause.trace.correlationId,
        })
      },
      schedule: (name, job) => {
        mayBeSet(name)
        made.scheduled = true
        unit.schedule.set({
          name,
          key: job.key,
          dueAt: job.at,
          data: JSON.stringify(job.data ?? null),
        })
      },
      unschedule: (name, key) => {
        mayBeSet(name)
        unit.schedule.drop(name, key)
      },
      forgetReplies: (userId) =>
        unit.forgetReplies(
          Object.entries(service.contract.operations)
            .filter(([, operation]) => operation.repeat === 'key')
            .map(([name]) =>
              scopeOf({ kind: 'user', id: userId }, `${service.contract.name}.${name}`),
            ),
        ),
    }) as Step<RepositoryTypes>

  const context: Context<Uses, RepositoryTypes, PortTypes> = {
    env,
    log,
    caller: cause.caller,
    correlationId: cause.trace.correlationId,
    signal: cause.signal,
    get uses() {
      clients ??= Object.fromEntries(
        Object.entries(service.uses).map(([name, contract]) => [
          name,
          clientOf(contract, runtime.link, {
            env,
            caller: { kind: 'service', name: service.contract.name },
            deadline: cause.deadline,
            signal: cause.signal,
            trace: cause.trace,
            mayCall: () => {
              if (state === 'inside')
                throw failure(
                  'call-in-step',
                  `${service.contract.name} called ${contract.name} inside a step`,
                )
            },
          }),
        ]),
      )
      return clients as Context<Uses, RepositoryTypes, PortTypes>['uses']
    },
    ports: runtime.ports as Context<Uses, RepositoryTypes, PortTypes>['ports'],
    secret: runtime.secret,
    cache: runtime.cache,
    changes: (key) => changesOf(runtime.hub, service.contract.name, key, env, cause.signal),
    read: (work) => store.read(work as Parameters<Store['read']>[0]) as ReturnType<typeof work>,
    step: async (work) => {
      if (state !== 'before')
        throw failure('second-step', `${service.contract.name}: a handler ran a second step`)
      const made: Made = { published: [], scheduled: false }
      const commit = () =>
        store.commit(async (unit) => {
          made.published = []
          made.scheduled = false
          state = 'inside'
          try {
            const value = await work(stepOn(unit, made))
            cause.settle(unit, value)
            return value
          } finally {
            state = 'after'
          }
        }, cause.refusable)
      const value = await (
        cause.settlement === undefined ? commit() : cause.settlement.around(commit)
      ).catch(async (error: unknown) => {
        // It may be committed: what caches hold may be old, and to drop it does no harm.
        if (asFailure(error).ran === 'unknown') await runtime.hub.tell(made.published)
        throw error
      })
      committed = true
      if (made.published.length > 0) {
        runtime.published()
        // The reply waits for it: whoever reads after the reply reads what was changed.
        await runtime.hub.tell(made.published)
      }
      if (made.scheduled) runtime.scheduled()
      return value
    },
  }
  return { context, stepped: () => committed }
}

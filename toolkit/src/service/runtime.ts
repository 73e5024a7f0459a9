import { z } from 'zod'
import type { Env } from '../base/env.ts'
import { asFailure, failure } from '../base/failure.ts'
import type { ServiceCache } from '../cache/index.ts'
import { validOutput, type Client, type Contract } from '../contract/index.ts'
import type { Settlement } from '../events/delivery.ts'
import { changesOf, type Broadcast, type EventHub } from '../events/hub.ts'
import { partitionOf } from '../events/partition.ts'
import { abortSignal, type Signal } from '../guard/index.ts'
import type { Caller, Link } from '../link/call.ts'
import { clientsOf, type CallContext } from '../link/client.ts'
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
  /** Called after a step that published to these partitions has committed. */
  readonly published: (partitions: readonly number[]) => void
  /** Called after a step that set a job has committed. */
  readonly scheduled: () => void
}

/** What a handler was called for. */
export interface Cause {
  readonly caller: Caller
  readonly trace: Trace
  readonly deadline: number
  readonly signal: Signal
  /** Adds to the step what it settles: the reply, the cursor, the job. */
  readonly settle: (unit: Unit, value: unknown) => void
  /** A second run of the step would be refused by what it settles. */
  readonly refusable: boolean
  readonly settlement?: Settlement
}

type AnyContext = Context<Uses, RepositoryTypes, PortTypes>

/** What a step has made besides rows. */
interface Made {
  published: Broadcast[]
  scheduled: boolean
}

export interface ContextOf {
  readonly context: AnyContext
  /** Whether the handler's step committed. */
  stepped(): boolean
}

/** What a step is given beside its repositories. */
const stepsOf = ({ env, service }: ServiceRuntime) => {
  const { name, operations } = service.contract

  /** A recurring job keeps its own time: set by a step it would lose it, or run twice. */
  const mayBeSet = (job: string) => {
    const declared = service.jobs.find((one) => one.name === job)
    if (declared === undefined) throw failure('internal', `${name} has no job ${job}`)
    if (declared.everyMs !== undefined)
      throw failure(
        'internal',
        `${name}: the job ${job} runs every ${declared.everyMs} ms; a step sets only jobs declared with once`,
      )
  }

  return (unit: Unit, made: Made, correlationId: string) =>
    ({
      ...unit.repositories,
      env,
      emit: (type, data) => {
        if (type.source !== name)
          throw failure('internal', `${name} emits an event of ${type.source}`)
        // Events carry what their schema names, and nothing that slipped in beside it.
        const valid = validOutput(
          type.data as z.ZodType<Record<string, unknown>>,
          data,
          `the event ${type.type}`,
        )
        const key = String(valid[type.key])
        const id = env.id()
        made.published.push({ id, source: type.source, type: type.type, key, data: valid })
        unit.emit({
          id,
          type: type.type,
          key,
          partition: partitionOf(key),
          data: JSON.stringify(valid),
          at: env.now(),
          correlationId,
        })
      },
      schedule: (job, { key, at, data }) => {
        mayBeSet(job)
        made.scheduled = true
        unit.schedule.set({ name: job, key, dueAt: at, data: JSON.stringify(data ?? null) })
      },
      unschedule: (job, key) => {
        mayBeSet(job)
        unit.schedule.drop(job, key)
      },
      forgetReplies: (userId) =>
        unit.forgetReplies(
          Object.entries(operations)
            .filter(([, operation]) => operation.repeat === 'key')
            .map(([operation]) => scopeOf({ kind: 'user', id: userId }, `${name}.${operation}`)),
        ),
    }) as Step<RepositoryTypes>
}

/** Clients of the services that a service uses, each made when it is first asked for. */
const usesOf = ({ link, service }: ServiceRuntime) => {
  class Clients {
    readonly [name: string]: Client<Contract>
    static {
      for (const [name, contract] of Object.entries(service.uses)) {
        const clients = clientsOf(contract, link)
        Object.defineProperty(this.prototype, name, {
          enumerable: true,
          get(this: Clients) {
            const known = this.#made.get(name)
            if (known !== undefined) return known
            const made = clients(this.#context)
            this.#made.set(name, made)
            return made
          },
        })
      }
    }
    readonly #made = new Map<string, Client<Contract>>()
    readonly #context: CallContext

    constructor(context: CallContext) {
      this.#context = context
    }
  }
  return (context: CallContext) => new Clients(context)
}

/** What is the same for all runs of a service's handlers. */
interface Common {
  readonly runtime: ServiceRuntime
  readonly identity: Caller
  readonly stepOn: ReturnType<typeof stepsOf>
  readonly usesOf: ReturnType<typeof usesOf>
  readonly ports: AnyContext['ports']
  readonly read: AnyContext['read']
}

/** One run of a handler: where it stands, and in whose name it calls others. */
class Run implements CallContext {
  readonly cause: Cause
  readonly common: Common
  #state: 'before' | 'inside' | 'after' = 'before'
  committed = false

  constructor(common: Common, cause: Cause) {
    this.common = common
    this.cause = cause
  }

  get env(): Env {
    return this.common.runtime.env
  }

  get caller(): Caller {
    return this.common.identity
  }

  get deadline(): number {
    return this.cause.deadline
  }

  get signal(): Signal {
    return this.cause.signal
  }

  get trace(): Trace {
    return this.cause.trace
  }

  mayCall(contract: string): void {
    if (this.#state !== 'inside') return
    const { name } = this.common.runtime.service.contract
    throw failure('call-in-step', `${name} called ${contract} inside a step`)
  }

  async step<T>(work: (step: Step<RepositoryTypes>) => Promise<T>): Promise<T> {
    const { cause } = this
    const { runtime, stepOn } = this.common
    if (this.#state !== 'before')
      throw failure('second-step', `${runtime.service.contract.name}: a handler ran a second step`)
    const made: Made = { published: [], scheduled: false }
    const commit = () =>
      runtime.store.commit(async (unit) => {
        made.published = []
        made.scheduled = false
        this.#state = 'inside'
        try {
          const value = await work(stepOn(unit, made, cause.trace.correlationId))
          cause.settle(unit, value)
          return value
        } finally {
          this.#state = 'after'
        }
      }, cause.refusable)
    const value = await (
      cause.settlement === undefined ? commit() : cause.settlement.around(commit)
    ).catch(async (error: unknown) => {
      // It may be committed: what caches hold may be old, and to drop it does no harm.
      if (asFailure(error).ran === 'unknown') await runtime.hub.tell(made.published)
      throw error
    })
    this.committed = true
    if (made.published.length > 0) {
      runtime.published(made.published.map(({ key }) => partitionOf(key)))
      // The reply waits for it: whoever reads after the reply reads what was changed.
      await runtime.hub.tell(made.published)
    }
    if (made.scheduled) runtime.scheduled()
    return value
  }
}

/** What a handler is given. Most handlers ask for little of it: what costs something is made when it is asked for. */
class HandlerContext implements AnyContext {
  readonly env: Env
  readonly caller: Caller
  readonly correlationId: string
  readonly ports: AnyContext['ports']
  readonly secret: ServiceRuntime['secret']
  readonly cache: ServiceCache
  readonly read: AnyContext['read']
  readonly changes: AnyContext['changes']
  readonly step: AnyContext['step']
  readonly #run: Run
  #log: Logger | undefined
  #uses: AnyContext['uses'] | undefined

  constructor(run: Run) {
    const { cause, common } = run
    const { runtime } = common
    this.#run = run
    this.env = runtime.env
    this.caller = cause.caller
    this.correlationId = cause.trace.correlationId
    this.ports = common.ports
    this.secret = runtime.secret
    this.cache = runtime.cache
    this.read = common.read
    this.changes = (key) =>
      changesOf(runtime.hub, runtime.service.contract.name, key, runtime.env, this.signal)
    this.step = (work) => run.step(work)
  }

  get log(): Logger {
    return (this.#log ??= this.#run.common.runtime.log.with({ correlationId: this.correlationId }))
  }

  get signal(): AbortSignal {
    return abortSignal(this.#run.signal)
  }

  get uses(): AnyContext['uses'] {
    return (this.#uses ??= this.#run.common.usesOf(this.#run))
  }
}

/** Makes the context of each run of a service's handlers. */
export const contextsOf = (runtime: ServiceRuntime): ((cause: Cause) => ContextOf) => {
  const { service, store } = runtime
  const common: Common = {
    runtime,
    identity: { kind: 'service', name: service.contract.name },
    stepOn: stepsOf(runtime),
    usesOf: usesOf(runtime),
    ports: runtime.ports as AnyContext['ports'],
    read: (work) => store.read(work as Parameters<Store['read']>[0]) as ReturnType<typeof work>,
  }
  return (cause) => {
    const run = new Run(common, cause)
    return { context: new HandlerContext(run), stepped: () => run.committed }
  }
}

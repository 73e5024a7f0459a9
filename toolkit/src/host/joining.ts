import { z } from 'zod'
import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { validInput, type Contract } from '../contract/index.ts'
import { balancedLink, type BalancedLink } from '../link/balance.ts'
import type { Broadcast } from '../events/hub.ts'
import { deadline, never } from '../guard/index.ts'
import type { Call, Link, Reply } from '../link/call.ts'
import { logOf, type Directory, type Peer } from '../link/directory.ts'
import type { Identities } from '../link/identity.ts'
import type { OpenTransport, TransportServer } from '../link/transport.ts'
import { authorize } from '../service/access.ts'
import type { Logger } from '../telemetry/log.ts'
import { gate, servesCall } from './gate.ts'
import { openHealth, type HealthSetup } from './health.ts'
import { naming } from './naming.ts'
import type { Address } from './setup.ts'
import { telling } from './telling.ts'

/** How a setup's hosts find and call each other. */
export interface FleetSetup {
  /** What each kind of process runs, by its name, where nothing else is asked for. */
  readonly roles: Readonly<Record<string, Role>>
  /** Where this host's link listens. */
  readonly link: Address
  /** Where this host says whether it is ready, for what watches over it; default nowhere. */
  readonly health?: HealthSetup
  /** Undefined for a host that is alone. */
  readonly directory: Directory | undefined
  /** This host in the directory; default: one that it makes. */
  readonly id?: string
  readonly transport: OpenTransport
  readonly identities: (options: {
    readonly env: Env
    readonly seedOf: (issuer: string) => Promise<Uint8Array>
  }) => Identities
}

/** A kind of process. */
export interface Role {
  /** Names of services; `all` for every one of the system. */
  readonly services: 'all' | readonly string[]
  /** Whether it has the public and the operator's address. */
  readonly edge: boolean
  /** Processes of it; default 1. */
  readonly replicas?: number
}

/** This host among the others. */
export interface Joined {
  /** Reaches the services of other hosts. */
  readonly link: BalancedLink
  /** Starts to answer others: first what they need to start themselves, a service's log. */
  answer(own: Link, hear: (events: readonly Broadcast[]) => Promise<void>): Promise<TransportServer>
  /** Takes calls; with `edge`, says that its edge is open too. */
  serve(edge: boolean): Promise<void>
  /** Resolves when each contract is served somewhere. */
  complete(contracts: readonly Contract[]): Promise<void>
  /** Tells every host of events; resolves when they have dropped what is old, or after a quarter of a second. Who failed the last time is not waited for. */
  spread(events: readonly Broadcast[]): Promise<unknown>
  /** Has others call elsewhere, and refuses who calls all the same. */
  leave(): Promise<void>
  stop(): void
}

export interface JoinOptions {
  readonly env: Env
  readonly log: Logger
  readonly fleet: FleetSetup
  readonly directory: Directory
  readonly seedOf: (issuer: string) => Promise<Uint8Array>
  /** By which hosts know each other. */
  readonly secret: () => Promise<Uint8Array>
  /** Contracts of this host's services. */
  readonly contracts: readonly Contract[]
  /** Queries of the system, as `contract.operation`. */
  readonly queries: ReadonlySet<string>
}

/** Others need as long to hear that this host leaves. */
const heardMs = 250

/** Under which name a host says that its edge is open. */
export const edgeContract = '$edge'

const Events = z.object({
  events: z.array(
    z.object({
      id: z.string(),
      source: z.string(),
      type: z.string(),
      key: z.string(),
      data: z.record(z.string(), z.unknown()),
    }),
  ),
})

const hearTarget = { contract: '$host', operation: 'hear' }

const hearCall = (env: Env, events: readonly Broadcast[]): Call => ({
  ...hearTarget,
  input: { events },
  caller: { kind: 'service', name: '$host' },
  key: undefined,
  deadline: env.now() + heardMs,
  signal: never,
  trace: { correlationId: events[0]?.id ?? env.id() },
  strict: false,
  target: '$host.hear',
  repeatable: true,
})

/** What other hosts publish is told here; all other calls go on. */
const hearing = (own: Link, hear: (events: readonly Broadcast[]) => Promise<void>): Link => ({
  call: async (call) => {
    if (call.contract !== hearTarget.contract) return own.call(call)
    authorize('internal', call.caller)
    await hear(validInput(Events, call.input, false).events)
    return { value: undefined }
  },
})

export const join = (options: JoinOptions): Joined => {
  const { env, log, fleet, directory, contracts } = options
  const identities = fleet.identities({ env, seedOf: options.seedOf })
  const transport = fleet.transport({ env, log, identities, secret: options.secret })
  const id = fleet.id ?? env.id()
  const leaving = new AbortController()
  const inTime = deadline<Call, Reply>(env)
  const hearAt = (host: Link, events: readonly Broadcast[]) =>
    inTime(hearCall(env, events), (call) => host.call(call))
  const link = balancedLink({
    env,
    directory,
    linkTo: transport.linkTo,
    forget: transport.forget,
    greet: (of, host) => {
      if (of !== id) void hearAt(host, []).catch(() => undefined)
    },
    reads: ({ target }) => options.queries.has(target),
    failed: (error) => log.warn('the directory does not say all hosts', {}, error),
  })
  const tell = telling(hearAt)
  let address = ''
  let state: 'starting' | 'serving' | 'leaving' = 'starting'
  let closeHealth: () => unknown = () => undefined
  const names = contracts.map(({ name }) => name)
  const logs = names.map(logOf)
  const announce = (served: readonly string[]) => {
    const self: Peer = { id, address, contracts: served }
    return directory.announce(self)
  }
  return {
    link,
    answer: async (own, hear) => {
      if (fleet.health !== undefined)
        closeHealth = await openHealth(fleet.health, () => state === 'serving')
      const listening = transport.listen({
        ...fleet.link,
        link: gate(hearing(own, hear), names, () => state !== 'starting'),
        leaving: leaving.signal,
      })
      const server = await naming(fleet.link.setting, listening)
      address = server.address
      await announce(logs)
      return server
    },
    serve: (edge) => {
      state = 'serving'
      return announce([...names, ...logs, ...(edge ? [edgeContract] : [])])
    },
    complete: async (needed) => {
      const missing = new Set(
        needed.map(({ name }) => name).filter((name) => !names.includes(name)),
      )
      let why: unknown
      const ask = async (name: string) => {
        if (!link.serves(name)) return
        try {
          await inTime(servesCall(env, name), (call) => link.call(call))
          missing.delete(name)
        } catch (error) {
          why = error
        }
      }
      for (let tries = 0; missing.size > 0; tries++) {
        await Promise.all([...missing].map(ask))
        if (tries === 100)
          log.warn(
            'waiting for hosts that serve all contracts',
            { missing: [...missing].join(', ') },
            why,
          )
        if (missing.size > 0) await env.sleep(50)
      }
    },
    spread: (events) => tell(link.others(id), events),
    leave: async () => {
      state = 'leaving'
      await directory.announce(undefined)
      await env.sleep(heardMs)
      leaving.abort(failure('draining'))
    },
    stop: () => {
      closeHealth()
      link.stop()
      transport.close()
    },
  }
}

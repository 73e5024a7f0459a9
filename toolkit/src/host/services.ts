import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { loop, type Loop } from '../base/loop.ts'
import type { Client, Contract } from '../contract/index.ts'
import { ownerOf } from '../events/partition.ts'
import { relay } from '../events/relay.ts'
import { openSubscription } from '../events/open-subscription.ts'
import { subscriber, type Subscriber } from '../events/subscriber.ts'
import { jobRunner } from '../jobs/runner.ts'
import type { Caller, Link } from '../link/call.ts'
import { betweenServices, clientOf, guardedLink } from '../link/client.ts'
import { localLink } from '../link/local.ts'
import type { Service } from '../service/index.ts'
import { logSource } from '../service/log-operations.ts'
import type { ServiceRuntime } from '../service/runtime.ts'
import { serviceServer, type ServiceServer } from '../service/server.ts'
import type { StoreEngine } from '../store/engine.ts'
import type { JobRun, Store } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import { keepJobs } from './keeping.ts'

export interface ServicesOptions {
  readonly services: readonly Service[]
  readonly stores: StoreEngine
  readonly env: Env
  readonly log: Logger
  /** What the services' ports are filled with, by port name. */
  readonly ports: Readonly<Record<string, unknown>>
  /** Derives a service's secret for a purpose. */
  readonly secret: (service: string, purpose: string) => Promise<Uint8Array<ArrayBuffer>>
  /** Called when the stores are open, and with them the lock of one process on an embedded one; nothing runs before it has ended. */
  readonly opened?: (stores: ReadonlyMap<string, Store>) => Promise<void>
  /** How often to look for others' work without being woken, default 200 ms on shared stores, 2 s on an embedded one. */
  readonly pollMs?: number
}

export interface RunningServices {
  readonly link: Link
  /** Services in this process, by contract name. */
  readonly stores: ReadonlyMap<string, Store>
  /** A client of one of the services, guarded as every caller's is. */
  client<C extends Contract>(contract: C, caller: Caller): Client<C>
  /** Ends subscriptions, jobs and relays after what is under way. Calls are still answered; the stores stay open. */
  stop(): Promise<void>
}

const beatMs = 1_000
const aliveMs = 5_000

interface Running {
  readonly service: Service
  readonly store: Store
  readonly server: ServiceServer
  readonly relay: Loop
  readonly jobs: Loop
  hosts: readonly string[]
}

/** Runs services in this process: their stores, servers, relays, subscriptions and jobs. */
export const startServices = async (options: ServicesOptions): Promise<RunningServices> => {
  const { env, log } = options
  const host = env.id()
  const pollMs = options.pollMs ?? (options.stores.exclusive ? 2_000 : 200)
  const running = new Map<string, Running>()
  const subscribers: { readonly publisher: string; readonly subscriber: Subscriber }[] = []

  const local = localLink((contract) => running.get(contract)?.server.handle)
  const guarded = new Map<string, Link>()
  const linkFrom = (caller: string) => (contract: Contract) => {
    const id = `${caller}→${contract.name}`
    const link = guarded.get(id) ?? betweenServices(guardedLink(local, env))
    guarded.set(id, link)
    return link
  }

  const alive = async (store: Store) => store.hosts.beat(host, env.now(), env.now() + aliveMs)

  const opened = await Promise.all(
    options.services.map(async (service) => {
      const name = service.contract.name
      for (const port of service.ports)
        if (options.ports[port] === undefined)
          throw failure(
            'cannot-start',
            `the service ${name} needs the port ${port}; the setup provides ${Object.keys(options.ports).join(', ') || 'none'}`,
          )
      const store = await options.stores.open(name, service.repositories, env)
      if (options.stores.exclusive) await store.hosts.reset()
      for (const job of service.jobs)
        if (job.everyMs !== undefined) await store.jobs.ensure(job.name, env.now() + job.everyMs)
      for (const [job, kept] of keepJobs(store, env))
        await store.jobs.ensure(job, env.now() + kept.everyMs)
      return { service, store, hosts: await alive(store) }
    }),
  )

  await options.opened?.(
    new Map(opened.map(({ service, store }) => [service.contract.name, store])),
  )

  for (const { service, store, hosts } of opened) {
    const name = service.contract.name
    const wake: { relay: () => void; jobs: () => void } = {
      relay: () => undefined,
      jobs: () => undefined,
    }
    const runtime: ServiceRuntime = {
      service,
      env,
      log: log.with({ service: name }),
      store,
      linkTo: linkFrom(name),
      ports: Object.fromEntries(service.ports.map((port) => [port, options.ports[port]])),
      secret: (purpose) => options.secret(name, purpose),
      published: () => wake.relay(),
      scheduled: () => wake.jobs(),
    }
    const server = serviceServer(runtime)
    const grown = () => {
      for (const one of subscribers) if (one.publisher === name) one.subscriber.wake()
    }
    const loops = {
      relay: relay({ env, log: runtime.log, source: store.log, pollMs, grown }),
      jobs: jobRunner(jobsOf(service, server, store, { env, log: runtime.log, host, pollMs })),
    }
    wake.relay = loops.relay.wake
    wake.jobs = loops.jobs.wake
    running.set(name, { service, store, server, hosts, ...loops })
  }

  for (const one of running.values())
    for (const made of await subscriptionsOf(one, {
      env,
      log,
      host,
      pollMs,
      linkTo: (name) => linkFrom(one.service.contract.name)({ name } as Contract),
    }))
      subscribers.push(made)

  const heart = loop({
    env,
    failed: (error) => log.warn('a heartbeat failed', {}, error),
    turn: async () => {
      for (const one of running.values()) one.hosts = await alive(one.store)
      return beatMs
    },
  })

  const external = guardedLink(local, env)
  return {
    link: external,
    stores: new Map([...running].map(([name, one]) => [name, one.store])),
    client: (contract, caller) =>
      clientOf(contract, external, {
        env,
        caller,
        deadline: Number.MAX_SAFE_INTEGER,
        signal: new AbortController().signal,
        trace: { correlationId: env.id() },
        mayCall: () => undefined,
      }),
    stop: async () => {
      await Promise.all([...subscribers.map((one) => one.subscriber.stop()), heart.stop()])
      await Promise.all([...running.values()].map((one) => one.jobs.stop()))
      await Promise.all([...running.values()].map((one) => one.relay.stop()))
      await Promise.allSettled([...running.values()].map((one) => one.store.hosts.leave(host)))
    },
  }
}

interface Shared {
  readonly env: Env
  readonly log: Logger
  readonly host: string
  readonly pollMs: number
}

const jobsOf = (service: Service, server: ServiceServer, store: Store, shared: Shared) => {
  const keeping = keepJobs(store, shared.env)
  const jobs = new Map<string, number | undefined>([
    ...service.jobs.map((job) => [job.name, job.everyMs] as const),
    ...[...keeping].map(([name, kept]) => [name, kept.everyMs] as const),
  ])
  return {
    env: shared.env,
    log: shared.log,
    store,
    holder: shared.host,
    jobs,
    pollMs: shared.pollMs,
    run: async (
      job: JobRun,
      settle: Parameters<ServiceServer['runJob']>[1],
      signal: AbortSignal,
    ) => {
      const own = keeping.get(job.name)
      if (own === undefined) return server.runJob(job, settle, signal)
      await own.run()
      return false
    },
  }
}

/** Opens a service's subscriptions, one per publisher, and starts to read. */
const subscriptionsOf = async (
  one: Running,
  shared: Shared & { readonly linkTo: (publisher: string) => Link },
) => {
  const { service, store, server } = one
  const name = service.contract.name
  const publishers = [
    ...new Set(service.subscriptions.map((subscription) => subscription.event.source)),
  ]
  return Promise.all(
    publishers.map(async (publisher) => {
      const mine = service.subscriptions.filter(
        (subscription) => subscription.event.source === publisher,
      )
      const types = new Set(mine.map((subscription) => subscription.event.type))
      const id = { subscription: name, publisher }
      const source = logSource(shared.linkTo(publisher), publisher, name, shared.env)
      const from = mine.every((subscription) => subscription.from === 'now') ? 'now' : 'oldest'
      await openSubscription(id, source, store, from)
      return {
        publisher,
        subscriber: subscriber({
          env: shared.env,
          log: shared.log.with({ service: name, publisher }),
          id,
          source,
          store,
          holder: shared.host,
          owns: (partition) =>
            ownerOf(one.hosts, `${name}/${publisher}/${partition}`) === shared.host,
          handles: (type) => types.has(type),
          deliver: server.deliver,
          pollMs: shared.pollMs,
        }),
      }
    }),
  )
}

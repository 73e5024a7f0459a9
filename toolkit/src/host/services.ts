import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { loop } from '../base/loop.ts'
import { openCaches, type CacheEngine, type Caches } from '../cache/index.ts'
import { fillTag, type Client, type Contract } from '../contract/index.ts'
import { eventHub, type Broadcast, type EventHub, type Listener } from '../events/hub.ts'
import { ownerOf } from '../events/partition.ts'
import { growth } from '../events/growth.ts'
import { openSubscription } from '../events/open-subscription.ts'
import { subscriber, type SubscriberOptions } from '../events/subscriber.ts'
import { jobRunner } from '../jobs/runner.ts'
import type { Caller, Link } from '../link/call.ts'
import { alone, betweenServices, clientOf, guardedLinks } from '../link/client.ts'
import { localLink } from '../link/local.ts'
import { retryTally } from '../link/retry-tally.ts'
import type { ForeignService } from '../service/foreign.ts'
import type { Service } from '../service/index.ts'
import { logSource } from '../service/built-in.ts'
import type { ServiceRuntime } from '../service/runtime.ts'
import { serviceServer, type ServiceServer } from '../service/server.ts'
import type { StoreEngine } from '../store/engine.ts'
import type { JobRun, Store } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import { keepJobs } from './keeping.ts'
import { atOnce, untilOpen, untilReached, type Patience } from './patience.ts'

export interface ServicesOptions {
  readonly services: readonly Service[]
  readonly stores: StoreEngine
  readonly env: Env
  readonly log: Logger
  /** What the services' ports are filled with, by port name. */
  readonly ports: Readonly<Record<string, unknown>>
  /** Where services cache. */
  readonly cache: CacheEngine
  /** Derives a service's secret for a purpose. */
  readonly secret: (service: string, purpose: string) => Promise<Uint8Array<ArrayBuffer>>
  /** Called when the stores are open, and with them the lock of one process on an embedded one; nothing runs before it has ended. `patience` waits for stores. */
  readonly opened?: (stores: ReadonlyMap<string, Store>, patience: Patience) => Promise<void>
  /** Services that are not written with Serval. */
  readonly foreign?: readonly ForeignService[]
  /** Reaches the services that run in other hosts; without it they are all here. */
  readonly elsewhere?: Link
  /** Contracts of services in other hosts whose events this process hears, for what it caches. */
  readonly hears?: readonly Contract[]
  /** Tells other hosts at once of events that caches are purged by. It never rejects. */
  readonly spread?: (events: readonly Broadcast[]) => Promise<unknown>
  /** Called when the services can answer, before they need others: `link` reaches those of this host, without a caller's guards. */
  readonly answering?: (link: Link, hear: EventHub['hear']) => Promise<void>
  /** How often to look for others' work without being woken, default 200 ms on shared stores, 2 s on an embedded one. */
  readonly pollMs?: number
}

export interface RunningServices {
  readonly link: Link
  readonly caches: Caches
  /** Hears every event of a service from now on, on whichever host it is published; `gap` when some may have been missed. */
  follow(source: string, listener: Listener): Promise<() => Promise<void>>
  /** Services in this process, by contract name. */
  readonly stores: ReadonlyMap<string, Store>
  /** A client of one of the services, guarded as every caller's is. */
  client<C extends Contract>(contract: C, caller: Caller): Client<C>
  /**
   * Aborts the handlers of subscriptions and jobs and waits for their ends; what they have not committed comes again. Before this host leaves, since others
   * that they need may end at the same moment. Logs are still followed, for the calls that still come.
   */
  rest(): Promise<void>
  /** Ends all that runs by itself. Calls are still answered; the stores stay open. */
  stop(): Promise<void>
}

const beatMs = 1_000
const aliveMs = 5_000
/** In which the others have seen a host that came, and ended what they had begun of its share. */
const letGoMs = 1_250

/** What the parts of one start share. */
interface Shared {
  readonly env: Env
  readonly log: Logger
  /** This host's id. */
  readonly host: string
  readonly pollMs: number
}

interface Opened {
  readonly service: Service
  readonly store: Store
  readonly server: ServiceServer
  readonly runtime: ServiceRuntime
  /** Wakes what is started later. */
  readonly wake: { readers: (partitions: readonly number[]) => void; jobs: () => void }
  /** The hosts alive, by the last heartbeat. */
  hosts: readonly string[]
  /** Whether this host works on its share yet. */
  shares: boolean
}

/** Opens a service's store, with its recurring jobs. */
const openStore = async (service: Service, options: ServicesOptions) => {
  const { env, ports, stores } = options
  const name = service.contract.name
  for (const port of service.ports)
    if (ports[port] === undefined)
      throw failure(
        'cannot-start',
        `the service ${name} needs the port ${port}; the setup provides ${Object.keys(ports).join(', ') || 'none'}`,
      )
  const store = await stores.open(name, service.repositories, env)
  if (stores.exclusive) await store.hosts.reset()
  for (const job of service.jobs)
    if (job.everyMs !== undefined) await store.jobs.ensure(job.name, env.now() + job.everyMs)
  for (const [job, kept] of keepJobs(store, env))
    await store.jobs.ensure(job, env.now() + kept.everyMs)
  return { service, store }
}

/** Runs services in this process: their stores, servers, subscriptions and jobs. */
export const startServices = async (options: ServicesOptions): Promise<RunningServices> => {
  const failed = new AbortController()
  try {
    return await startAll(options, failed.signal)
  } catch (error) {
    // What waits beside what has failed would wait for ever.
    failed.abort(error)
    throw error
  }
}

const startAll = async (
  options: ServicesOptions,
  signal: AbortSignal,
): Promise<RunningServices> => {
  const { env, log } = options
  const host = env.id()
  const pollMs = options.pollMs ?? (options.stores.exclusive ? 2_000 : 200)
  const shared: Shared = { env, log, host, pollMs }
  const beat = (store: Store) => store.hosts.beat(host, env.now(), env.now() + aliveMs)
  const opening =
    options.elsewhere === undefined
      ? atOnce
      : untilOpen({ env, log, stores: options.stores.name, signal })
  const stores = await Promise.all(
    options.services.map((service) => opening(() => openStore(service, options))),
  )
  await options.opened?.(
    new Map(stores.map(({ service, store }) => [service.contract.name, store])),
    opening,
  )

  const running = new Map<string, Opened>()
  const handle = (contract: string) => running.get(contract)?.server.handle
  const foreign = new Map(options.foreign?.map((one) => [one.contract.name, one.handle]))
  const outward = localLink((contract) => foreign.get(contract), options.elsewhere)
  const tally = retryTally(env, log)
  const linkFrom = guardedLinks(localLink(handle, outward), env, tally)
  const hub = eventHub({
    env,
    log,
    shared: !options.stores.exclusive || options.elsewhere !== undefined,
    pollMs,
    sourceOf: (publisher) => logSource(linkFrom('broadcast'), publisher, 'broadcast', env),
    ...(options.spread && { spread: purgingOf(options.services, options.spread) }),
  })
  const caches = await openCaches({ env, log, engine: options.cache })
  for (const { service, store } of stores) {
    const name = service.contract.name
    const wake: Opened['wake'] = { readers: () => undefined, jobs: () => undefined }
    const runtime: ServiceRuntime = {
      service,
      env,
      log: log.with({ service: name }),
      store,
      link: betweenServices(linkFrom(name)),
      ports: Object.fromEntries(service.ports.map((port) => [port, options.ports[port]])),
      secret: (purpose) => options.secret(name, purpose),
      hub,
      cache: caches.of(name),
      published: (partitions) => wake.readers(partitions),
      scheduled: () => wake.jobs(),
    }
    const server = serviceServer(runtime)
    running.set(name, { service, store, server, runtime, wake, hosts: [], shares: false })
  }

  await options.answering?.(localLink(handle), hub.hear)
  // Every subscription is registered before anything runs: what fails here leaves nothing behind.
  const patience = options.elsewhere === undefined ? atOnce : untilReached({ env, log, signal })
  const subscriptions = await Promise.all(
    [...running.values()].flatMap((one) => subscribe(one, shared, patience)),
  )
  const heard = [...options.services.map(({ contract }) => contract), ...(options.hears ?? [])]
  await Promise.all(heard.map((contract) => patience(() => purgeBy(contract, hub, caches))))
  const late = await shareStores([...running.values()], (store) => opening(() => beat(store)))
  const subscribers = subscriptions.map((made) => ({
    ...made,
    subscriber: subscriber(made.options),
  }))
  const runners = [...running.values()].map((one) => {
    one.wake.readers = growth((partitions) => {
      for (const { publisher, options: of, subscriber: reader } of subscribers)
        if (publisher === one.service.contract.name && partitions.some(of.owns)) reader.wake()
      hub.wake(one.service.contract.name)
    })
    const working = jobRunner(jobsOf(one, shared))
    one.wake.jobs = working.wake
    return working
  })
  const takeShares = () => {
    for (const one of late) one.shares = true
    for (const { subscriber: reader } of subscribers) reader.wake()
  }
  const forgetShares = late.length === 0 ? undefined : env.after(letGoMs, takeShares)
  // Each store has a heartbeat of its own: one that is away makes this host look dead to no other service.
  const hearts = [...running.values()].map((one) =>
    loop({
      env,
      failed: (error) => one.runtime.log.warn('a heartbeat failed', {}, error),
      turn: async () => {
        one.hosts = await beat(one.store)
        return beatMs
      },
    }),
  )

  let resting: Promise<void> | undefined
  const rest = async () => {
    forgetShares?.()
    hub.leave()
    await Promise.all(
      [...subscribers.map((one) => one.subscriber), ...hearts].map((part) => part.stop()),
    )
    await Promise.all(runners.map((runner) => runner.stop()))
    await Promise.allSettled([...running.values()].map((one) => one.store.hosts.leave(host)))
  }
  const restOnce = () => (resting ??= rest())

  const external = linkFrom('outside')
  return {
    link: external,
    follow: hub.follow,
    caches,
    stores: new Map([...running].map(([name, one]) => [name, one.store])),
    client: (contract, caller) => clientOf(contract, external, alone(env, caller)),
    rest: restOnce,
    stop: async () => {
      await hub.stop()
      await restOnce()
      await caches.close()
      tally.stop()
    },
  }
}

/** Adds this host to those that share the stores. Answers the services that others work on, who have to let go of its share first. */
const shareStores = async (
  all: readonly Opened[],
  beat: (store: Store) => Promise<readonly string[]>,
): Promise<readonly Opened[]> => {
  await Promise.all(
    all.map(async (one) => {
      one.hosts = await beat(one.store)
      one.shares = one.hosts.length === 1
    }),
  )
  return all.filter(({ shares }) => !shares)
}

/** Passes on the events that caches are purged by. */
const purgingOf = (
  services: readonly Service[],
  spread: (events: readonly Broadcast[]) => Promise<unknown>,
) => {
  const purging = new Set(
    services.flatMap(({ contract }) =>
      Object.values(contract.events)
        .filter(({ purges }) => purges.length > 0)
        .map(({ source, type }) => `${source} ${type}`),
    ),
  )
  return async (events: readonly Broadcast[]) => {
    const told = events.filter(({ source, type }) => purging.has(`${source} ${type}`))
    if (told.length > 0) await spread(told)
  }
}

/** Drops from every cache of this process what a contract's events say is old. */
const purgeBy = async (contract: Contract, hub: EventHub, caches: Caches): Promise<void> => {
  const purging = new Map(
    Object.values(contract.events)
      .filter(({ purges }) => purges.length > 0)
      .map(({ type, purges }) => [type, purges]),
  )
  if (purging.size === 0) return
  await hub.follow(contract.name, {
    event: ({ type, data }) => {
      const tags = purging.get(type)
      if (tags === undefined) return undefined
      return caches.purge(tags.map((tag) => fillTag(contract.name, tag, data)))
    },
    gap: () => void caches.purge('all'),
  })
}

const jobsOf = ({ service, store, server }: Opened, shared: Shared) => {
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

/** Opens a service's subscriptions, one per publisher; reading begins later. */
const subscribe = (one: Opened, { env, log, host, pollMs }: Shared, patience: Patience) => {
  const { service, store, server, runtime } = one
  const name = service.contract.name
  const byPublisher = Map.groupBy(service.subscriptions, ({ event }) => event.source)
  return [...byPublisher].map(async ([publisher, mine]) => {
    const id = { subscription: name, publisher }
    const source = logSource(runtime.link, publisher, name, env)
    const from = mine.every((subscription) => subscription.from === 'now') ? 'now' : 'oldest'
    await patience(() => openSubscription(id, source, store, from))
    const options: SubscriberOptions = {
      env,
      log: log.with({ service: name, publisher }),
      id,
      source,
      store,
      holder: host,
      owns: (partition) =>
        one.shares && ownerOf(one.hosts, `${name}/${publisher}/${partition}`) === host,
      types: [...new Set(mine.map(({ event }) => event.type))],
      deliver: server.deliver,
      pollMs,
    }
    return { publisher, options }
  })
}

import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import type { HttpServer } from '../link/http.ts'
import type { Service } from '../service/index.ts'
import type { Logger } from '../telemetry/log.ts'
import { partsOf } from './foreign.ts'
import { join } from './joining.ts'
import { naming } from './naming.ts'
import { openEdge, type RunningEdge } from './open-edge.ts'
import { atOnce, untilReached } from './patience.ts'
import { checkSecret } from './same-secret.ts'
import type { Contract } from '../contract/index.ts'
import { derive } from './secret.ts'
import { startServices, type RunningServices } from './services.ts'
import type { Address, Setup } from './setup.ts'

/** What of a system one host runs. */
export interface Share {
  /** Names of services. */
  readonly services: readonly string[]
  readonly edge: boolean
}

export interface RunningHost {
  readonly services: RunningServices
  /** Undefined for a host without an edge. */
  readonly edge: RunningEdge | undefined
  /** Answers what has begun, aborts the handlers of subscriptions and jobs (what they have not committed comes again), closes the stores. */
  drain(): Promise<void>
}

export interface HostOptions {
  readonly setup: Setup
  readonly env: Env
  readonly log: Logger
  /** Default: all of it. */
  readonly share?: Share
  /** Told what is being done, for a person who waits. */
  readonly progress?: (doing: string) => void
}

/** What a port may have beside what its service uses: it is opened before the services start, and closed after they have stopped. */
interface PortLife {
  readonly open?: () => unknown
  readonly close?: () => unknown
}

/** Derives each secret once. */
const secretsFrom = (master: Uint8Array<ArrayBuffer>, system: string) => {
  const derived = new Map<string, Promise<Uint8Array<ArrayBuffer>>>()
  return (service: string, purpose: string) => {
    const name = `${system}/${service}/${purpose}`
    const secret = derived.get(name) ?? derive(master, name)
    derived.set(name, secret)
    return secret
  }
}

const drainMs = 10_000

/** Lets a server finish what it has begun, for ten seconds. */
const drainServer = async (
  server: Pick<HttpServer, 'drain' | 'close'>,
  env: Env,
): Promise<void> => {
  const patience = new AbortController()
  const late = env.sleep(drainMs, patience.signal).then(
    () => server.close(),
    () => undefined,
  )
  await Promise.race([server.drain(), late])
  patience.abort()
}

/** The services of a share. Throws `misconfigured` for a share that this setup cannot run. */
const servicesOf = (setup: Setup, share: Share | undefined): readonly Service[] => {
  const { system, fleet } = setup
  const { services, foreign } = partsOf(setup)
  if (share === undefined) return services
  const known = services.map(({ contract }) => contract.name)
  const notOurs = foreign.find(({ contract }) => share.services.includes(contract.name))
  if (notOurs !== undefined)
    throw failure(
      'misconfigured',
      `${notOurs.contract.name} is a foreign service in this setup: it is called at its address, and no host runs it`,
    )
  const unknown = share.services.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw failure(
      'misconfigured',
      `there is no service ${unknown.join(', ')}; ${system.name} has ${known.join(', ')}`,
    )
  const all = share.edge && share.services.length === known.length
  if (!all && fleet?.directory === undefined)
    throw failure(
      'misconfigured',
      fleet === undefined
        ? 'this setup is one process: it cannot run a part of the system'
        : 'a host that runs a part of the system needs a directory to find the others (SERVAL_DIRECTORY)',
    )
  return services.filter(({ contract }) => share.services.includes(contract.name))
}

/** Queries, as `contract.operation`. */
export const queriesOf = (contracts: readonly Contract[]): ReadonlySet<string> =>
  new Set(
    contracts.flatMap(({ name, operations }) =>
      Object.entries(operations).flatMap(([operation, { kind }]) =>
        kind === 'query' ? [`${name}.${operation}`] : [],
      ),
    ),
  )

/** One process: from a setup to running services, behind two addresses if it has an edge. What was started is stopped again when a later part fails. */
export const startHost = async ({
  setup,
  env,
  log,
  share,
  progress = () => undefined,
}: HostOptions): Promise<RunningHost> => {
  const { system, fleet } = setup
  const mine = servicesOf(setup, share)
  const { services: ours, foreign } = partsOf(setup)
  const contracts = ours.map(({ contract }) => contract)
  /** What was started, to be stopped in the opposite order. */
  const started: (() => unknown)[] = [() => setup.stores.close()]
  const stop = async () => {
    for (const end of started.splice(0).reverse())
      await Promise.resolve(end()).catch((error: unknown) =>
        log.error('a part could not be stopped', {}, error),
      )
  }
  const listen = async ({
    setting,
    ...options
  }: Parameters<Setup['listen']>[0] & Pick<Address, 'setting'>): Promise<HttpServer> => {
    const server = await naming(setting, setup.listen(options))
    started.push(() => drainServer(server, env))
    return server
  }
  let ready = false
  const leaving = new AbortController()
  try {
    const master = await setup.masterSecret()
    const secret = secretsFrom(master, system.name)
    const joined =
      fleet?.directory === undefined
        ? undefined
        : join({
            env,
            log,
            fleet,
            directory: fleet.directory,
            seedOf: (issuer) => derive(master, `${system.name}/identity/${issuer}`),
            secret: () => derive(master, `${system.name}/link`),
            contracts: mine.map(({ contract }) => contract),
            queries: queriesOf(contracts),
          })
    if (joined !== undefined) started.push(joined.stop)
    const patience =
      joined === undefined ? atOnce : untilReached({ env, log, signal: leaving.signal })
    progress(`opening ${setup.stores.name}`)
    const services = await startServices({
      services: mine,
      foreign,
      stores: setup.stores,
      env,
      log,
      ports: setup.ports,
      cache: setup.cache,
      secret,
      ...(joined && {
        elsewhere: joined.link,
        hears: contracts.filter((one) => mine.every(({ contract }) => contract !== one)),
        spread: joined.spread,
        answering: async (link, hear) => {
          const server = await joined.answer(link, hear)
          started.push(() => drainServer(server, env))
        },
      }),
      opened: async (stores, patience) => {
        const fingerprints = [...stores].map(async ([name, store]) => {
          const own = Buffer.from(await secret(name, 'fingerprint')).toString('hex')
          await patience(() => checkSecret(name, store, own))
        })
        await Promise.all(fingerprints)
        for (const name of new Set(mine.flatMap(({ ports }) => ports))) {
          const { open, close } = (setup.ports[name] ?? {}) as PortLife
          if (close !== undefined) started.push(() => close())
          await open?.()
        }
      },
    })
    started.push(services.stop)
    // Those that this host's edge waits for may wait for its services.
    await joined?.serve(false)
    const edge =
      share?.edge === false
        ? undefined
        : await openEdge({
            env,
            log,
            setup,
            services,
            master,
            complete: () => joined?.complete(contracts) ?? Promise.resolve(),
            patience,
            progress,
            listen,
            started,
            leaving: leaving.signal,
            ready: () => ready,
          })
    ready = true
    if (edge !== undefined) await joined?.serve(true)
    log.info('ready', { public: edge?.public.port, stores: setup.stores.name })
    return {
      services,
      edge,
      drain: async () => {
        ready = false
        // Its end is waited for when the services are stopped.
        void services.rest()
        await joined?.leave()
        leaving.abort()
        log.info('stopping')
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

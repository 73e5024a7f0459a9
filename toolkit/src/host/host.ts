import type { Env } from '../base/env.ts'
import { failure, ServalError } from '../base/failure.ts'
import { refusalReply } from '../edge/index.ts'
import { defaultHttpLimits, type HttpServer } from '../link/http.ts'
import type { Logger } from '../telemetry/log.ts'
import { operatorEdge, publicEdge } from './edges.ts'
import { control, controlLink } from './operator.ts'
import { checkSecret } from './same-secret.ts'
import { derive } from './secret.ts'
import { startServices, type RunningServices } from './services.ts'
import type { Address, Connect, Follow, Setup } from './setup.ts'

export interface RunningHost {
  readonly services: RunningServices
  readonly public: HttpServer
  readonly operator: HttpServer
  readonly operatorKey: string
  /** Answers what has begun, ends subscriptions and jobs after what is under way, closes the stores. */
  drain(): Promise<void>
}

export interface HostOptions {
  readonly setup: Setup
  readonly env: Env
  readonly log: Logger
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
const drainServer = async (server: HttpServer, env: Env): Promise<void> => {
  const patience = new AbortController()
  const late = env.sleep(drainMs, patience.signal).then(
    () => server.close(),
    () => undefined,
  )
  await Promise.race([server.drain(), late])
  patience.abort()
}

/** One process: from a setup to running services behind two addresses. What was started is stopped again when a later part fails. */
export const startHost = async ({
  setup,
  env,
  log,
  progress = () => undefined,
}: HostOptions): Promise<RunningHost> => {
  const { system } = setup
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
    const server = await setup.listen(options).catch((error: unknown) => {
      if (setting === undefined || !(error instanceof ServalError)) throw error
      throw failure('cannot-start', `${error.message} (${setting})`, { cause: error })
    })
    started.push(() => drainServer(server, env))
    return server
  }
  let ready = false
  const leaving = new AbortController()
  try {
    const master = await setup.masterSecret()
    const secret = secretsFrom(master, system.name)
    progress(`opening ${setup.stores.name}`)
    const services = await startServices({
      services: system.services,
      stores: setup.stores,
      env,
      log,
      ports: setup.ports,
      cache: setup.cache,
      secret,
      opened: async (stores) => {
        const fingerprints = [...stores].map(async ([name, store]) =>
          checkSecret(name, store, Buffer.from(await secret(name, 'fingerprint')).toString('hex')),
        )
        await Promise.all(fingerprints)
        for (const one of Object.values(setup.ports)) {
          const { open, close } = one as PortLife
          if (close !== undefined) started.push(() => close())
          await open?.()
        }
      },
    })
    started.push(services.stop)
    const connect: Connect = (contract) =>
      services.client(contract, { kind: 'service', name: system.name })
    if (setup.development && system.seed !== undefined) {
      progress('adding demo products and accounts')
      await system.seed(connect)
    }
    const follow: Follow = (event, told, gap) =>
      services.follow(event.source, {
        event: ({ type, data }) => {
          // The publisher's log holds what its own step checked against this schema.
          if (type === event.type) told(data as Parameters<typeof told>[0])
        },
        gap,
      })
    progress('listening')
    const key = Buffer.from(await derive(master, `${system.name}/operator-key`))
      .toString('base64url')
      .slice(0, 32)
    const contracts = system.services.map((service) => service.contract)
    const common = { env, log, system, leaving: leaving.signal, ready: () => ready }
    const authenticate = await setup.authenticate(connect, follow)
    const outside = publicEdge({ ...common, contracts, link: services.link }, setup.edge, {
      authenticate,
      key,
    })
    services.caches.add(outside.cache)
    started.push(() => outside.cache.close())
    const inside = operatorEdge(
      {
        ...common,
        contracts: [...contracts, control],
        link: controlLink(
          services.link,
          contracts.map(({ name }) => name),
          system.name,
          env,
        ),
      },
      key,
      setup.operator.host,
    )
    const server = {
      limits: defaultHttpLimits,
      refuse: (status: number) => refusalReply(status, { correlationId: env.id() }),
    }
    const front = await listen({ ...server, ...setup.public, handle: outside.handle })
    const back = await listen({ ...server, ...setup.operator, handle: inside })
    ready = true
    log.info('ready', { public: front.port, operator: back.port, stores: setup.stores.name })
    return {
      services,
      public: front,
      operator: back,
      operatorKey: key,
      drain: async () => {
        ready = false
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

import type { Env } from '../base/env.ts'
import { refusalReply } from '../edge/index.ts'
import { defaultHttpLimits, type HttpServer, type HttpServerOptions } from '../link/http.ts'
import type { Logger } from '../telemetry/log.ts'
import { operatorEdge, publicEdge } from './edges.ts'
import { control, controlLink } from './operator.ts'
import type { Patience } from './patience.ts'
import { partsOf } from './foreign.ts'
import { derive } from './secret.ts'
import type { RunningServices } from './services.ts'
import type { Address, Connect, Follow, Setup } from './setup.ts'

/** The two addresses of a host with an edge. */
export interface RunningEdge {
  readonly public: HttpServer
  readonly operator: HttpServer
  readonly operatorKey: string
}

export interface OpenEdgeOptions {
  readonly env: Env
  readonly log: Logger
  readonly setup: Setup
  readonly services: RunningServices
  readonly master: Uint8Array<ArrayBuffer>
  /** Resolves when every service of the system can be reached. */
  readonly complete: () => Promise<void>
  readonly patience: Patience
  readonly progress: (doing: string) => void
  readonly listen: (options: HttpServerOptions & Pick<Address, 'setting'>) => Promise<HttpServer>
  /** What is to be ended when the host stops, in the opposite order. */
  readonly started: (() => unknown)[]
  readonly leaving: AbortSignal
  readonly ready: () => boolean
}

/** Opens the system to the world, and to its operator. */
export const openEdge = async (options: OpenEdgeOptions): Promise<RunningEdge> => {
  const { env, log, setup, services, master, patience, progress, listen, started } = options
  const { system } = setup
  const connect: Connect = (contract) =>
    services.client(contract, { kind: 'service', name: system.name })
  const follow: Follow = (event, told, gap) =>
    services.follow(event.source, {
      event: ({ type, data }) => {
        // The publisher's log holds what its own step checked against this schema.
        if (type === event.type) told(data as Parameters<typeof told>[0])
      },
      gap,
    })
  await options.complete()
  const { seed } = system
  if (setup.development && seed !== undefined) {
    progress('adding demo products and accounts')
    await patience(() => seed(connect))
  }
  progress('listening')
  const key = Buffer.from(await derive(master, `${system.name}/operator-key`))
    .toString('base64url')
    .slice(0, 32)
  const { services: ours, contracts } = partsOf(setup)
  const common = { env, log, system, leaving: options.leaving, ready: options.ready }
  const authenticate = await patience(async () => setup.authenticate(connect, follow))
  const outside = publicEdge({ ...common, contracts, link: services.link }, setup.edge, {
    authenticate,
    key,
  })
  services.caches.add(outside.cache)
  started.push(() => outside.cache.close())
  const names = ours.map(({ contract }) => contract.name)
  const inside = operatorEdge(
    {
      ...common,
      contracts: [...contracts, control],
      link: controlLink(services.link, names, system.name, env),
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
  return { public: front, operator: back, operatorKey: key }
}

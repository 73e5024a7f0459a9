import { failure } from '../base/failure.ts'
import { validInput, validOutput } from '../contract/index.ts'
import { edge, localOnly, operatorKey, refusalReply, securityHeaders } from '../edge/index.ts'
import type { Env } from '../base/env.ts'
import { abortSignal } from '../guard/index.ts'
import type { Call, Link } from '../link/call.ts'
import { defaultHttpLimits, type HttpServer, type ListenHttp } from '../link/http.ts'
import { authorize } from '../service/access.ts'
import type { Logger } from '../telemetry/log.ts'
import { fleet } from './contract.ts'
import type { Supervisor } from './supervisor.ts'

export interface ControlOptions {
  readonly env: Env
  readonly log: Logger
  readonly setup: string
  readonly supervisor: Supervisor
  /** Who does not send it is refused. */
  readonly key: string
  /** Called by `down`, before anything ends. */
  readonly ending: () => void
  /** Called by `down`, after everything has ended. */
  readonly ended: () => void
}

type Handlers = Readonly<Record<string, (input: never, signal: AbortSignal) => Promise<unknown>>>

const handlers = ({ supervisor, setup, ending, ended }: ControlOptions): Handlers => ({
  peers: async ({ after, waitMs }: { after: number; waitMs: number }, signal) => {
    await supervisor.peers.changed(after, waitMs, signal)
    const peers = supervisor.peers
      .list()
      .map((peer) => ({ ...peer, contracts: [...peer.contracts] }))
    return { version: supervisor.peers.version, peers }
  },
  announce: async (peer: Parameters<Supervisor['announce']>[0]) => supervisor.announce(peer),
  leave: async ({ id }: { id: string }) => supervisor.leave(id),
  status: async () => ({ setup, doing: supervisor.doing, processes: supervisor.processes() }),
  scale: ({ role, replicas }: { role: string; replicas: number }) =>
    supervisor.scale(role, replicas),
  split: ({ service }: { service: string }) => supervisor.split(service),
  merge: ({ service }: { service: string }) => supervisor.merge(service),
  roll: ({ role }: { role?: string }) => supervisor.roll(role),
  down: async () => {
    ending()
    await supervisor.down()
    ended()
  },
})

const linkTo = (own: Handlers): Link => ({
  call: async (call: Call) => {
    const operation = fleet.operations[call.operation as keyof typeof fleet.operations]
    const handle = Object.hasOwn(own, call.operation) ? own[call.operation] : undefined
    if (handle === undefined) throw failure('no-such-operation', `${call.target} does not exist`)
    authorize(operation.access, call.caller)
    // The handler's own type is that of the operation's input, which has just been validated.
    const input = validInput(operation.input, call.input, call.strict) as never
    const value = await handle(input, abortSignal(call.signal))
    return { value: validOutput(operation.output, value, call.target) }
  },
})

/** The supervisor's own address: for hosts of this machine, and for the person who types commands. */
export const controlServer = (options: ControlOptions, listen: ListenHttp): Promise<HttpServer> => {
  const { env, log, key } = options
  const handle = edge({
    env,
    log,
    contracts: [fleet],
    link: linkTo(handlers(options)),
    serves: () => true,
    identify: operatorKey(key),
    around: [securityHeaders()],
    before: [localOnly(['127.0.0.1', 'localhost'])],
  })
  return listen({
    host: '127.0.0.1',
    port: 0,
    limits: defaultHttpLimits,
    handle,
    refuse: (status) => refusalReply(status, { correlationId: env.id() }),
  })
}

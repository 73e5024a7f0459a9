import { systemEnv, type Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { sha256 } from '../base/hash.ts'
import { httpTransport } from '../engines/http/index.ts'
import { wireTransport } from '../engines/sockets/index.ts'
import type { Directory, Peer } from '../link/directory.ts'
import { queriesOf } from '../host/host.ts'
import { join } from '../host/joining.ts'
import { startServices, type RunningServices, type ServicesOptions } from '../host/services.ts'
import { isFeed, type Call, type Link, type Reply } from '../link/call.ts'
import { transports, type OpenTransport, type TransportServer } from '../link/transport.ts'
import type { Service } from '../service/index.ts'
import type { StoreEngine } from '../store/engine.ts'
import { deliveredTwice, takingItselfForTheOnlyOne } from './deliveries.ts'

/*
 * Services each in a host of its own, all in this process: they are started, found, balanced and called as the hosts of a fleet are, over real sockets
 * (`http`, `wire`) or with nothing in between (`direct`). Who calls from outside calls from one more host, which serves nothing, as a fleet's edge does.
 * What is between them runs in real time, also where the services' clock is one that a test moves.
 */

export const linkNames = ['direct', 'http', 'wire'] as const
export type LinkName = (typeof linkNames)[number]

export interface ApartOptions extends Omit<
  ServicesOptions,
  'elsewhere' | 'hears' | 'spread' | 'answering' | 'secret'
> {
  readonly secret: (service: string, purpose: string) => Promise<Uint8Array<ArrayBuffer>>
  readonly linked: LinkName
  /** Told of each reply before its caller is; a reply for which it answers true is lost, after the operation ran. */
  readonly loses?: (call: Call) => boolean
  /** Each service runs in two hosts, and each message is delivered to both: to the second when the first has handled it. */
  readonly twice?: boolean
}

/** Knows every host of this process. */
const directoryInMemory = (): Directory => {
  const watchers = new Set<(peers: readonly Peer[]) => void>()
  const peers = new Map<string, Peer>()
  return {
    watch: (told) => {
      watchers.add(told)
      told([...peers.values()])
      return () => void watchers.delete(told)
    },
    announce: (self) => {
      if (self !== undefined) peers.set(self.id, self)
      for (const tell of watchers) tell([...peers.values()])
      return Promise.resolve()
    },
  }
}

/** Calls the link of the other host as it is. */
const directTransport = (): OpenTransport => {
  const listening = new Map<string, Link>()
  let count = 0
  return () => ({
    listen: ({ link }) => {
      const address = `direct://host-${(count += 1)}`
      listening.set(address, link)
      const end = () => Promise.resolve(void listening.delete(address))
      return Promise.resolve({ address, drain: end, close: end })
    },
    linkTo: (address) => ({
      call: (call) =>
        listening.get(address)?.call(call) ??
        Promise.reject(failure('unavailable', `${call.target}: nobody listens at ${address}`)),
    }),
    forget: () => undefined,
    close: () => undefined,
  })
}

/** Longer than waits between tries, and between looks at what others did; what a test moves its clock for takes longer. */
const shortMs = 1_000

/** An env whose short waits take real time: by a clock that stands still no call would be tried again, and no host hear of another. */
const withShortWaits = (env: Env, real: Env): Env => {
  const waiting = (ms: number) => (ms <= shortMs ? real : env)
  return {
    ...env,
    sleep: (ms, signal) => waiting(ms).sleep(ms, signal),
    after: (ms, run) => waiting(ms).after(ms, run),
  }
}

/** A link whose two sides have clocks of their own: a deadline says how much time is left. */
const between = (clock: Env, theirs: Env, link: Link): Link => ({
  call: (call) => link.call({ ...call, deadline: theirs.now() + call.deadline - clock.now() }),
})

const leave = async (reply: Reply): Promise<void> => {
  if (isFeed(reply)) await reply.value[Symbol.asyncIterator]().return?.()
}

/** Links of which replies, or failures, get lost on their way back. */
const losing =
  (open: OpenTransport, loses: (call: Call) => boolean): OpenTransport =>
  (context) => {
    const transport = open(context)
    const lost = (call: Call) => failure('unknown-outcome', `${call.target}: the reply was lost`)
    return {
      ...transport,
      linkTo: (address) => {
        const link = transport.linkTo(address)
        return {
          call: async (call) => {
            const reply = await link.call(call).catch((error: unknown) => {
              throw loses(call) ? lost(call) : error
            })
            if (!loses(call)) return reply
            await leave(reply)
            throw lost(call)
          },
        }
      },
    }
  }

const bytesOf = (text: string): Promise<Uint8Array<ArrayBuffer>> =>
  Promise.resolve(new Uint8Array(Buffer.from(sha256(text, 'hex'), 'hex')))

/** Starts each service in a host of its own, and one host more for those who call from outside. */
export const startApart = async (options: ApartOptions): Promise<RunningServices> => {
  const { log, linked, loses, twice = false, services, ...rest } = options
  // Only when it is needed: the package `jose` is an optional one.
  const { joseIdentities } = await import('../engines/jose/index.ts')
  const directory = directoryInMemory()
  const real = systemEnv()
  const env = withShortWaits(options.env, real)
  const all = { direct: directTransport(), http: httpTransport(), wire: wireTransport() }
  const chosen = transports(all, linked)
  const transport = loses === undefined ? chosen : losing(chosen, loses)
  const contracts = services.map(({ contract }) => contract)
  // No host of them is alone, even where the database is this process's own.
  const shared: StoreEngine = { ...options.stores, exclusive: false }

  const startOne = async (own: readonly Service[], stores: StoreEngine) => {
    const mine = own.map(({ contract }) => contract)
    const joined = join({
      env: real,
      log,
      fleet: {
        roles: {},
        link: { host: '127.0.0.1', port: 0 },
        directory,
        transport,
        identities: joseIdentities,
      },
      directory,
      seedOf: (issuer) => bytesOf(`test/identity/${issuer}`),
      secret: () => bytesOf('test/link'),
      contracts: mine,
      queries: queriesOf(contracts),
    })
    let server: TransportServer | undefined
    const running = await startServices({
      ...rest,
      env,
      log,
      services: own,
      stores,
      pollMs: options.pollMs ?? 20,
      elsewhere: between(env, real, joined.link),
      hears: contracts.filter((contract) => !mine.includes(contract)),
      spread: joined.spread,
      answering: async (link, hear) => {
        server = await joined.answer(between(real, env, link), hear)
      },
    })
    await joined.serve(false)
    return {
      running,
      close: async () => {
        joined.stop()
        await server?.close()
      },
    }
  }

  const generations = twice ? deliveredTwice(services) : [services]
  const hosts = []
  for (const generation of generations) {
    const stores = twice ? takingItselfForTheOnlyOne(shared) : shared
    hosts.push(...(await Promise.all(generation.map((one) => startOne([one], stores)))))
  }
  const outside = await startOne([], shared)
  const started = [outside, ...hosts]
  return {
    ...outside.running,
    stores: new Map(hosts.flatMap(({ running }) => [...running.stores])),
    rest: async () => {
      await Promise.all(started.map(({ running }) => running.rest()))
    },
    stop: async () => {
      await Promise.all(started.map(({ running }) => running.stop()))
      await Promise.all(started.map(({ close }) => close()))
    },
  }
}

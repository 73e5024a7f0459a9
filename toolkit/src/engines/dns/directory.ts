import { isIP } from 'node:net'
import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import { loop } from '../../base/loop.ts'
import type { Directory, Peer } from '../../link/directory.ts'
import { namesFrom, withOptions } from '../../link/directory-setting.ts'
import { knownPeers, servedBy } from '../../link/known-peers.ts'
import { lookUp, type LookUp, type Place } from './look-up.ts'

export interface DnsDirectoryOptions {
  readonly env: Env
  /** Contracts of the system. */
  readonly contracts: readonly string[]
  /** Of the hosts' links: `wire` or `http`. */
  readonly scheme: string
  /**
   * A name and a port, such as `{contract}.shop.internal:7070`, for addresses; a name alone, such as `_link._tcp.{contract}.shop.internal`, for SRV
   * records. Options: `every` (longest time between look-ups in seconds, default 5), `server` (addresses, parted by commas; default the system's).
   */
  readonly at: string
}

/** Between look-ups, however soon a record ends. */
const leastMs = 1_000

const isServer = (text: string) =>
  isIP(text.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1')) > 0

const read = ({ at, contracts }: DnsDirectoryOptions) => {
  const { main, options } = withOptions(at, ['every', 'server'])
  const [, template = '', digits] = /^(.*?)(?::(\d+))?$/.exec(main) ?? []
  const port = digits === undefined ? undefined : Number(digits)
  if (port !== undefined && (port < 1 || port > 65_535))
    throw failure('misconfigured', `a port is 1 to 65535, not ${port}`)
  if (port === undefined && !/^_[^.]+\._tcp\./.test(template))
    throw failure(
      'misconfigured',
      'it is a name and a port, such as {contract}.shop.internal:7070, or the name of SRV records, such as _link._tcp.{contract}.shop.internal',
    )
  const servers = options.get('server')?.split(',') ?? []
  for (const server of servers)
    if (!isServer(server))
      throw failure(
        'misconfigured',
        `server is an IP address, with or without a port, not ${server}`,
      )
  const seconds = Number(options.get('every') ?? 5)
  if (!(seconds >= 0.01 && seconds <= 3_600))
    throw failure('misconfigured', `every is 0.01 to 3600 seconds, not ${options.get('every')}`)
  return { names: namesFrom(template, contracts), port, servers, everyMs: seconds * 1_000 }
}

const addressOf = (scheme: string, { host, port }: Place) =>
  `${scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`

/**
 * Hosts by names of the DNS, as of a headless Service in Kubernetes. Names are looked up again when their records end, `every` so often at the
 * latest. While a name is not answered, or with nothing, its last addresses stay. It knows neither who is ready nor who was started anew:
 * links find out.
 */
export const dnsDirectory = (options: DnsDirectoryOptions): Directory => {
  const { env, scheme } = options
  const { names, port, servers, everyMs } = read(options)
  return {
    watch: (...watcher) => {
      const known = knownPeers(...watcher)
      let cancel = () => {}
      const last = new Map<string, readonly Peer[]>()
      const look = async (
        find: LookUp,
        name: string,
        contracts: readonly string[],
      ): Promise<number> => {
        const { places, ttlMs } = await find(name, port)
        if (places.length === 0) throw failure('unavailable', `the DNS knows no host by ${name}`)
        last.set(
          name,
          places.map((place) => {
            const address = addressOf(scheme, place)
            return { id: address, address, contracts: servedBy(contracts) }
          }),
        )
        return ttlMs
      }
      const turning = loop({
        env,
        failed: known.failed,
        turn: async (signal) => {
          // A new one each time: Bun's (1.4.5) goes on saying that a name has no addresses.
          const { find, ...looking } = lookUp(servers)
          cancel = looking.cancel
          const looked = await Promise.allSettled(
            [...names].map(([name, contracts]) => look(find, name, contracts)),
          )
          if (signal.aborted) return 0
          const failed = looked.find((one) => one.status === 'rejected')
          known.found([...last.values()].flat(), failed?.reason)
          const ttls = looked.map((one) => (one.status === 'fulfilled' ? one.value : 0))
          return Math.min(everyMs, Math.max(leastMs, Math.min(...ttls)))
        },
      })
      return () => {
        void turning.stop()
        cancel()
      }
    },
    announce: () => Promise.resolve(),
  }
}

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import { loop } from '../../base/loop.ts'
import type { Directory, Peer } from '../../link/directory.ts'
import { withOptions } from '../../link/directory-setting.ts'
import { hostAddress, knownPeers } from '../../link/known-peers.ts'
import { consulApi, entriesIn, refusal, type Entry } from './api.ts'
import { registration } from './registration.ts'

export interface ConsulDirectoryOptions {
  readonly env: Env
  /**
   * The agent's address, such as `http://127.0.0.1:8500`. Options: `service`, under which the fleet's hosts are registered, default `serval`; `ca`, a
   * file in PEM with the authority that signed the agent's certificate, default those that everybody knows.
   */
  readonly at: string
  /** Of Consul's ACL; empty for none. */
  readonly token: string
  /** How often the check is passed; default 3 s. */
  readonly passMs?: number
}

const waitMs = 60_000
/** Consul adds up to a sixteenth. */
const timeoutMs = waitMs + waitMs / 16 + 5_000
/** Between two answers: who watches a list that changes all the time asks for it less often. */
const leastMs = 100

const authorityIn = (file: string): string => {
  try {
    const pem = readFileSync(file, 'utf8')
    new X509Certificate(pem)
    return pem
  } catch (cause) {
    throw failure('misconfigured', `ca is a file in PEM; ${file} cannot be read as one`, { cause })
  }
}

const read = (at: string) => {
  const { main, options } = withOptions(at, ['service', 'ca'])
  const url = URL.canParse(main) ? new URL(main) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.username)
    throw failure(
      'misconfigured',
      `the agent’s address is a URL such as http://127.0.0.1:8500, not ${JSON.stringify(main)}`,
    )
  const service = options.get('service') ?? 'serval'
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(service))
    throw failure('misconfigured', `service is a name of the DNS, not ${JSON.stringify(service)}`)
  const file = options.get('ca')
  if (file !== undefined && url.protocol !== 'https:')
    throw failure('misconfigured', 'ca is for an agent at https://…')
  return { address: url.origin, service, ca: file === undefined ? undefined : authorityIn(file) }
}

/** The next index to wait for: one that went backwards, or is none, means to begin anew (Consul, Blocking Queries). */
export const nextIndex = (before: number, given: string | null): number => {
  const index = Number(given)
  return Number.isSafeInteger(index) && index > 0 && index >= before ? index : 0
}

const peerOf = ({ Node, Service }: Entry): Peer | undefined => {
  const host = Service.Address === '' ? Node.Address : Service.Address
  const name = host.includes(':') ? `[${host}]` : host
  const address = hostAddress(`${Service.Meta.serval}://${name}:${Service.Port}`)
  return address === undefined ? undefined : { id: Service.ID, address, contracts: Service.Tags }
}

/** Hosts that are registered with Consul, this one among them; those whose checks pass are told. */
export const consulDirectory = ({
  env,
  at,
  token,
  passMs = 3_000,
}: ConsulDirectoryOptions): Directory => {
  const { address, service, ca } = read(at)
  const api = consulApi(env, address, token, ca)
  const own = registration({ env, api, service, passMs })
  return {
    watch: (...watcher) => {
      const known = knownPeers(...watcher)
      let index = 0
      const watching = loop({
        env,
        failed: (error) => {
          index = 0
          known.failed(error)
        },
        turn: async (signal) => {
          const wait = index === 0 ? '' : `&index=${index}&wait=${waitMs / 1_000}s`
          const answer = await api('GET', `/v1/health/service/${service}?passing=1${wait}`, {
            timeoutMs,
            signal,
          })
          if (answer.status !== 200) throw refusal(`the list of ${service}`, answer)
          const { hosts, others } = entriesIn(answer.text)
          const peers = hosts.map(peerOf).filter((peer) => peer !== undefined)
          const strangers = others + hosts.length - peers.length
          known.found(
            peers,
            strangers === 0
              ? undefined
              : failure(
                  'unavailable',
                  `Consul has ${strangers} under the name ${service} that are no hosts of a fleet`,
                ),
          )
          const before = index
          index = nextIndex(before, answer.index)
          // Without an index nothing can be waited for.
          return index === 0 && before === 0 ? 1_000 : leastMs
        },
      })
      return () => void watching.stop()
    },
    announce: (self) => (self === undefined ? own.leave() : own.set(self)),
  }
}

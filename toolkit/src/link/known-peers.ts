import { failure } from '../base/failure.ts'
import { logOf, type Directory, type Peer } from './directory.ts'

/** Of hosts; what a directory says beyond is left out. */
export const mostPeers = 1_000

/** The names of a host that serves these contracts. */
export const servedBy = (contracts: readonly string[]): readonly string[] => [
  ...contracts,
  ...contracts.map(logOf),
]

/** A host's address: scheme, host and port, and no more; undefined for another text. Which schemes there are, the transport knows. */
export const hostAddress = (text: string): string | undefined => {
  const bare =
    /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s:[\]]+:\d{1,5}$|^[a-z]+:\/\/\[[0-9a-f:.]+\]:\d{1,5}$/i
  return bare.test(text) && URL.canParse(text) ? text : undefined
}

/** One peer for each id, with all that is said of it; where it has two addresses, the first holds. */
export const merged = (found: Iterable<Peer>): readonly Peer[] => {
  const byId = new Map<string, Peer>()
  for (const { id, address, contracts } of found) {
    const known = byId.get(id)
    byId.set(id, {
      id,
      address: known?.address ?? address,
      contracts: [...new Set([...(known?.contracts ?? []), ...contracts])].toSorted(),
    })
  }
  return [...byId.values()].toSorted((one, other) => (one.id < other.id ? -1 : 1))
}

export interface KnownPeers {
  /** `but` is what went wrong all the same. */
  found(peers: Iterable<Peer>, but?: unknown): void
  failed(error: unknown): void
}

const doubt = (hosts: number) => {
  if (hosts === 0) return failure('unavailable', 'the directory knows no host')
  if (hosts <= mostPeers) return undefined
  return failure('unavailable', `the directory says ${hosts} hosts; only ${mostPeers} are called`)
}

/**
 * What a directory in the network says, as one that watches is to hear it: changes alone, an outage once. That there is nobody at all is
 * taken for an outage: a directory that has lost its memory is more likely than a fleet that has ended, and a call finds out which.
 */
export const knownPeers = (...[told, failed]: Parameters<Directory['watch']>): KnownPeers => {
  let last = ''
  let away = false
  const fail = (error: unknown) => {
    if (!away) failed?.(error)
    away = true
  }
  return {
    found: (found, but) => {
      const all = merged(found)
      const wrong = but ?? doubt(all.length)
      if (wrong === undefined) away = false
      else fail(wrong)
      const peers = all.slice(0, mostPeers)
      const now = JSON.stringify(peers)
      if (peers.length > 0 && now !== last) told(peers)
      if (peers.length > 0) last = now
    },
    failed: fail,
  }
}

import { failure } from '../base/failure.ts'
import type { Directory, Peer } from './directory.ts'
import { hostAddress, merged, mostPeers, servedBy } from './known-peers.ts'

export interface StaticOptions {
  /** Contracts of the system; `all` stands for them. */
  readonly contracts: readonly string[]
  /** Contracts and where they are served, such as `orders,payments=wire://10.0.0.7:7070,wire://10.0.0.8:7070;catalog=wire://10.0.0.9:7070`. */
  readonly at: string
}

const form = 'contracts=addresses, such as all=wire://10.0.0.7:7070,wire://10.0.0.8:7070'

const listed = (text: string): readonly string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

const addressFrom = (text: string): string => {
  const address = hostAddress(text)
  if (address !== undefined) return address
  throw failure(
    'misconfigured',
    `an address is a scheme, a host and a port, such as wire://10.0.0.7:7070; it is ${JSON.stringify(text)}`,
  )
}

const peersFrom = (entry: string, known: readonly string[]): readonly Peer[] => {
  const [left = '', right, ...more] = entry.split('=')
  const names = listed(left)
  const addresses = listed(right ?? '')
  if (names.length === 0 || addresses.length === 0 || more.length > 0)
    throw failure('misconfigured', `an entry is ${form}; it is ${JSON.stringify(entry)}`)
  const unknown = names.filter((name) => name !== 'all' && !known.includes(name))
  if (unknown.length > 0)
    throw failure(
      'misconfigured',
      `there is no contract ${unknown.join(', ')}, but ${known.join(', ')}, or all`,
    )
  const contracts = servedBy(names.includes('all') ? known : names)
  return addresses.map(addressFrom).map((address) => ({ id: address, address, contracts }))
}

/**
 * A list that does not change. It knows neither who is there nor whether it was started anew: links find out. Entries are parted by
 * semicolons.
 */
export const staticDirectory = ({ contracts, at }: StaticOptions): Directory => {
  const entries = at.split(';').filter((entry) => entry.trim() !== '')
  const peers = merged(entries.flatMap((entry) => peersFrom(entry, contracts)))
  if (peers.length === 0)
    throw failure('misconfigured', `it needs at least one entry of the form ${form}`)
  if (peers.length > mostPeers)
    throw failure('misconfigured', `it has at most ${mostPeers} hosts, not ${peers.length}`)
  return {
    watch: (told) => {
      told(peers)
      return () => undefined
    },
    announce: () => Promise.resolve(),
  }
}

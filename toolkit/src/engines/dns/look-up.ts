import { Resolver } from 'node:dns/promises'

/** Of one name; more addresses are left out. */
const mostAddresses = 256
const timeoutMs = 2_000

export interface Place {
  readonly host: string
  readonly port: number
}

export interface Found {
  readonly places: readonly Place[]
  /** How long this may be believed, where that is told. */
  readonly ttlMs: number
}

export interface LookUp {
  /** Rejects when no server answers; without addresses when the name has none. */
  (name: string, port: number | undefined): Promise<Found>
}

/** Codes of an answer that says: there is none. */
const nothing = new Set(['ENOTFOUND', 'ENODATA'])

const orNone = <T>(asked: Promise<readonly T[]>): Promise<readonly T[]> =>
  asked.catch((error: NodeJS.ErrnoException) => {
    if (nothing.has(error.code ?? '')) return []
    throw error
  })

const fulfilled = <T>(results: readonly PromiseSettledResult<readonly T[]>[]): readonly T[] => {
  const good = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
  const [bad] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  if (good.length === 0 && bad !== undefined) throw bad
  return good
}

/** Looks names up by the servers that are given, or by the system's: with a port for their addresses, without one for the places that their SRV records tell (RFC 2782). */
export const lookUp = (
  servers: readonly string[],
): { readonly find: LookUp; readonly cancel: () => void } => {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 })
  if (servers.length > 0) resolver.setServers(servers)

  const addresses = async (name: string, port: number): Promise<Found> => {
    const found = fulfilled(
      await Promise.allSettled([
        orNone(resolver.resolve4(name, { ttl: true })),
        orNone(resolver.resolve6(name, { ttl: true })),
      ]),
    )
    return {
      places: found.slice(0, mostAddresses).map(({ address }) => ({ host: address, port })),
      ttlMs: Math.min(...found.map(({ ttl }) => ttl * 1_000)),
    }
  }

  return {
    find: async (name, port) => {
      if (port !== undefined) return addresses(name, port)
      const records = await orNone(resolver.resolveSrv(name))
      // The lowest number is the first choice; weights are left to balancing, which knows the load.
      const first = Math.min(...records.map(({ priority }) => priority))
      const chosen = records.filter(({ priority }) => priority === first).slice(0, mostAddresses)
      const found = await Promise.allSettled(
        chosen.map(async (record) => [await addresses(record.name, record.port)]),
      )
      const all = fulfilled(found)
      return {
        places: all.flatMap(({ places }) => places).slice(0, mostAddresses),
        ttlMs: Math.min(...all.map(({ ttlMs }) => ttlMs)),
      }
    },
    cancel: () => resolver.cancel(),
  }
}

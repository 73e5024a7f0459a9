import { isIP } from 'node:net'
import { z } from 'zod'
import { logOf, type Peer } from '../../link/directory.ts'
import { servedBy } from '../../link/known-peers.ts'

/** A discovery.k8s.io/v1 EndpointSlice, as far as it is looked at. */
export const Slice = z.object({
  metadata: z.object({
    name: z.string(),
    resourceVersion: z.string().optional(),
    labels: z.record(z.string(), z.string()).nullish(),
  }),
  addressType: z.string().default('IPv4'),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()),
        conditions: z
          .object({ ready: z.boolean().nullish(), terminating: z.boolean().nullish() })
          .nullish(),
        targetRef: z.object({ uid: z.string().nullish() }).nullish(),
      }),
    )
    .nullish(),
  ports: z
    .array(z.object({ name: z.string().nullish(), port: z.int().min(1).max(65_535).nullish() }))
    .nullish(),
})
export type Slice = z.output<typeof Slice>

export const serviceLabel = 'kubernetes.io/service-name'

export interface Reading {
  /** Contracts by the name of the Service that they are behind. */
  readonly names: ReadonlyMap<string, readonly string[]>
  readonly scheme: string
  /** The name of the port, where a Service has several. */
  readonly port: string
}

const portOf = ({ ports }: Slice, name: string): number | undefined => {
  const [only, ...more] = ports ?? []
  const named = ports?.find((one) => one.name === name) ?? (more.length === 0 ? only : undefined)
  return named?.port ?? undefined
}

/**
 * The hosts of slices. One that is ready serves its contracts; one that is not yet, its logs alone, so that hosts which start together find
 * each other; one that ends, nothing more. A Pod in several slices is one host.
 */
export const peersIn = (
  slices: Iterable<Slice>,
  { names, scheme, port }: Reading,
): readonly Peer[] => {
  // A Pod with two addresses is called by that of IPv4.
  const sorted = [...slices].toSorted((one, other) =>
    one.addressType < other.addressType ? -1 : 1,
  )
  return sorted.flatMap((slice) => {
    const contracts = names.get(slice.metadata.labels?.[serviceLabel] ?? '')
    const number = portOf(slice, port)
    if (contracts === undefined || number === undefined) return []
    return (slice.endpoints ?? []).flatMap(({ addresses, conditions, targetRef }) => {
      // All addresses of an endpoint are the same host (discovery/v1, Endpoint.addresses).
      const [host = ''] = addresses
      if (isIP(host) === 0 || conditions?.terminating === true) return []
      const address = `${scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${number}`
      return [
        {
          id: targetRef?.uid ?? address,
          address,
          contracts: conditions?.ready === false ? contracts.map(logOf) : servedBy(contracts),
        },
      ]
    })
  })
}

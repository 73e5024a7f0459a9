import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Env } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import { loop } from '../../base/loop.ts'
import { linesOf, textOf } from '../../link/bounded.ts'
import type { Directory } from '../../link/directory.ts'
import { namesFrom, withOptions } from '../../link/directory-setting.ts'
import { knownPeers } from '../../link/known-peers.ts'
import { Broken, Gone, kubernetesApi } from './api.ts'
import { peersIn, serviceLabel, Slice } from './slices.ts'

export interface KubernetesDirectoryOptions {
  readonly env: Env
  /** Contracts of the system. */
  readonly contracts: readonly string[]
  /** Of the hosts' links: `wire` or `http`. */
  readonly scheme: string
  /**
   * The Services that the hosts are behind, such as `{contract}`, or `shop` for one of all. Options: `namespace` (default the Pod's own), `port` (its
   * name where a Service has several; default `link`).
   */
  readonly at: string
  /** The API server, such as `https://10.0.0.1:443`. */
  readonly server: string
  /** The folder of the service account. */
  readonly account?: string
}

const inCluster = '/var/run/secrets/kubernetes.io/serviceaccount'
const pageSize = 100
const mostSlices = 2_000
const maxPageBytes = 16 * 1024 * 1024
const maxEventBytes = 4 * 1024 * 1024
const listMs = 30_000
const watchSeconds = 290
/** Between two watches: a server that ends each at once is asked less often. */
const leastMs = 100

const Page = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().nullish() }),
  items: z.array(z.unknown()).max(pageSize),
})
const Versioned = z.object({ metadata: z.object({ resourceVersion: z.string() }) })
const Status = z.object({ code: z.int().optional(), message: z.string().optional() })
const Event = z.object({ type: z.string(), object: z.unknown() })

const parsed = <S extends z.ZodType>(schema: S, what: string, value: unknown): z.output<S> => {
  const { data, success, error } = schema.safeParse(value)
  if (success) return data
  throw failure('unavailable', `Kubernetes answered something other than ${what}`, { cause: error })
}

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw failure('unavailable', 'Kubernetes answered something other than JSON', { cause })
  }
}

const ownNamespace = (account: string): string => {
  try {
    return readFileSync(join(account, 'namespace'), 'utf8').trim()
  } catch (cause) {
    throw failure(
      'misconfigured',
      `namespace must be given where there is no service account in ${account}`,
      { cause },
    )
  }
}

const pathFor = (namespace: string, names: Iterable<string>) => {
  const selector = `${serviceLabel} in (${[...names].join(',')})`
  return (options: Readonly<Record<string, string>>) =>
    `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices?${new URLSearchParams(
      { labelSelector: selector, ...options },
    )}`
}

/** Hosts by the EndpointSlices of their Services, listed and then watched. Kubernetes finds out itself who is ready. */
export const kubernetesDirectory = (options: KubernetesDirectoryOptions): Directory => {
  const { env, contracts, scheme, server, account = inCluster } = options
  const { main, options: given } = withOptions(options.at, ['namespace', 'port'])
  const names = namesFrom(main, contracts)
  if (!URL.canParse(server))
    throw failure(
      'misconfigured',
      'this process is not in a Pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set',
    )
  const path = pathFor(given.get('namespace') ?? ownNamespace(account), names.keys())
  const reading = { names, scheme, port: given.get('port') ?? 'link' }
  const api = kubernetesApi(env, server, account)

  return {
    watch: (...watcher) => {
      const known = knownPeers(...watcher)
      let slices = new Map<string, Slice>()
      /** Where to watch from; undefined to list first. */
      let version: string | undefined
      const tell = (but?: unknown) => known.found(peersIn(slices.values(), reading), but)

      /** What cannot be read is left out: the rest is still true. */
      const put = (into: Map<string, Slice>, item: unknown): unknown => {
        const { data, error } = Slice.safeParse(item)
        if (data === undefined)
          return failure('unavailable', 'Kubernetes answered a slice that cannot be read', {
            cause: error,
          })
        if (into.size >= mostSlices && !into.has(data.metadata.name))
          return failure('unavailable', `there are more than ${mostSlices} slices`)
        into.set(data.metadata.name, data)
        return undefined
      }

      const list = async (signal: AbortSignal): Promise<void> => {
        const found = new Map<string, Slice>()
        let but: unknown
        let next: string | undefined
        let listed: string
        do {
          const asked = { limit: String(pageSize), ...(next !== undefined && { continue: next }) }
          const body = await textOf(api.get(path(asked), listMs, signal), maxPageBytes)
          const { metadata, items } = parsed(Page, 'a list of slices', jsonOf(body))
          for (const item of items) but ??= put(found, item)
          listed = metadata.resourceVersion
          next = metadata.continue || undefined
        } while (next !== undefined && found.size < mostSlices)
        slices = found
        version = listed
        tell(but)
      }

      const hear = (line: string): void => {
        const { type, object } = parsed(Event, 'an event', jsonOf(line))
        if (type === 'ERROR') {
          const { code, message } = parsed(Status, 'a status', object)
          if (code === 410) throw new Gone(message)
          throw failure('unavailable', `the watch failed: ${code} ${message}`)
        }
        let but: unknown
        if (type === 'DELETED') slices.delete(parsed(Slice, 'a slice', object).metadata.name)
        else if (type === 'ADDED' || type === 'MODIFIED') but = put(slices, object)
        version = parsed(Versioned, 'an object with a version', object).metadata.resourceVersion
        if (type !== 'BOOKMARK') tell(but)
      }

      const follow = async (from: string, signal: AbortSignal): Promise<void> => {
        const asked = {
          watch: 'true',
          allowWatchBookmarks: 'true',
          resourceVersion: from,
          timeoutSeconds: String(watchSeconds),
        }
        const body = api.get(path(asked), (watchSeconds + 30) * 1_000, signal)
        for await (const line of linesOf(body, maxEventBytes)) if (line !== '') hear(line)
      }

      const watching = loop({
        env,
        failed: known.failed,
        turn: async (signal) => {
          try {
            if (version === undefined) await list(signal)
            if (version !== undefined) await follow(version, signal)
            return leastMs
          } catch (error) {
            if (!(error instanceof Broken)) version = undefined
            if (!(error instanceof Gone)) throw error
            return leastMs
          }
        },
      })
      return () => void watching.stop()
    },
    announce: () => Promise.resolve(),
  }
}

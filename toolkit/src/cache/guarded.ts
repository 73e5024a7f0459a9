import type { Env } from '../base/env.ts'
import { breaker, compose, deadline, type Guarded } from '../guard/index.ts'
import type { Logger } from '../telemetry/log.ts'
import type { CacheStore, Tags } from './store.ts'

const timeoutMs = 250
const againMs = 1_000
const mostUndropped = 10_000

interface Ask extends Guarded {
  readonly ask: () => Promise<unknown>
}

/**
 * A cache that leaves the process and is no reason to fail: what it does not answer within 250 ms counts as not kept, and a breaker
 * leaves it alone while it is away. A drop that did not reach it is remembered and tried again each second; until it has, what bears the
 * tags is neither answered nor kept here.
 */
export const guardedCache = (store: CacheStore, env: Env, log: Logger): CacheStore => {
  const guard = compose<Ask, unknown>([breaker({ env }), deadline(env)], ({ ask }) => ask())
  const closing = new AbortController()
  const undropped = new Set<string>()
  let allUndropped = false
  let retrying = false

  const attempt = async <T>(target: string, ask: () => Promise<T>): Promise<T | undefined> => {
    const call = { target, deadline: env.now() + timeoutMs, signal: closing.signal }
    try {
      return (await guard({ ...call, repeatable: true, ask })) as T
    } catch (error) {
      if (!closing.signal.aborted) log.warn('the cache did not answer', { call: target }, error)
      return undefined
    }
  }
  const reached = async (tags: Tags) =>
    (await attempt('cache.drop', async () => {
      await store.drop(tags)
      return true
    })) === true

  const isUndropped = ({ tags }: { readonly tags: readonly string[] }) =>
    allUndropped || (undropped.size > 0 && tags.some((tag) => undropped.has(tag)))

  const remember = (tags: Tags) => {
    if (tags === 'all' || undropped.size + tags.length > mostUndropped) {
      allUndropped = true
      undropped.clear()
    } else for (const tag of tags) undropped.add(tag)
    retryLater()
  }
  const retryLater = () => {
    if (retrying || closing.signal.aborted) return
    retrying = true
    env.after(againMs, () => {
      retrying = false
      void retry()
    })
  }
  const retry = async () => {
    const [tags, all] = [[...undropped], allUndropped]
    if (!(await reached(all ? 'all' : tags))) return retryLater()
    // What was added meanwhile stays.
    if (all) allUndropped = false
    for (const tag of tags) undropped.delete(tag)
    if (allUndropped || undropped.size > 0) retryLater()
  }

  return {
    get: async (wanted) => {
      const answer = await attempt('cache.get', () => store.get(wanted))
      if (answer === undefined) return { kept: [], lease: undefined }
      return {
        kept: answer.kept.map((entry, index) => {
          const key = wanted[index]
          return key === undefined || isUndropped(key) ? undefined : entry
        }),
        lease: { given: answer.lease },
      }
    },
    put: async (entries, lease) => {
      const puttable = entries.filter((entry) => !isUndropped(entry))
      if (lease === undefined || puttable.length === 0) return
      const { given } = lease as { readonly given: unknown }
      await attempt('cache.put', () => store.put(puttable, given))
    },
    drop: async (tags) => {
      if (!(await reached(tags))) remember(tags)
    },
    close: async () => {
      closing.abort()
      await store.close()
    },
  }
}

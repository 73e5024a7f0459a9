import type { Env } from '../base/env.ts'
import { failure, ServalError } from '../base/failure.ts'
import { breaker, compose, deadline, type Guarded } from '../guard/index.ts'
import type { Logger } from '../telemetry/log.ts'
import type { CacheKey, CacheStore } from './store.ts'
import { Undropped } from './undropped.ts'

const timeoutMs = 250
const againMs = 1_000

interface Ask extends Guarded {
  readonly ask: () => Promise<void>
}

interface Lease {
  readonly of: unknown
}

/**
 * A cache that leaves the process, and is no reason to fail: what it does not answer within 250 ms counts as not kept, and a breaker
 * leaves it alone while it is away. A drop that did not reach it is tried again each second; until it has, what bears the tags is not
 * answered here.
 */
export const guardedCache = (store: CacheStore, env: Env, log: Logger): CacheStore => {
  const reach = async ({ ask }: Ask) => {
    try {
      await ask()
    } catch (cause) {
      throw failure('unavailable', 'The cache did not do it', { cause })
    }
  }
  const guard = compose([breaker<Ask, void>({ env }), deadline<Ask, void>(env)], reach)
  const undropped = new Undropped()
  let closed = false
  let forget: (() => void) | undefined

  /** Undefined when the cache did not answer. */
  const attempt = async <T>(
    target: string,
    ask: () => Promise<T>,
  ): Promise<{ readonly answer: T } | undefined> => {
    const { signal } = new AbortController()
    const call = { target, deadline: env.now() + timeoutMs, signal, repeatable: true }
    let got: { readonly answer: T } | undefined
    try {
      await guard({ ...call, ask: async () => void (got = { answer: await ask() }) })
      return got
    } catch (error) {
      // An open breaker was told of by what opened it.
      if (!(error instanceof ServalError && error.code === 'breaker-open'))
        log.warn('the cache did not answer', { call: target }, error)
      return undefined
    }
  }

  const retryLater = () => {
    if (closed || forget !== undefined) return
    forget = env.after(againMs, () => {
      forget = undefined
      void retry()
    })
  }
  const retry = async () => {
    const waiting = undropped.snapshot()
    if (await attempt('cache.drop', () => store.drop(waiting.tags))) undropped.reached(waiting)
    if (undropped.some) retryLater()
  }

  return {
    get: async (wanted) => {
      const got = await attempt('cache.get', () => store.get(wanted))
      if (got === undefined) return { kept: [], lease: undefined }
      const { kept, lease } = got.answer
      const answerable = (key: CacheKey | undefined) =>
        key !== undefined && !undropped.has(key.tags)
      return {
        kept: kept.map((entry, index) => (answerable(wanted[index]) ? entry : undefined)),
        lease: { of: lease },
      }
    },
    put: async (entries, lease: Lease | undefined) => {
      if (lease !== undefined) await attempt('cache.put', () => store.put(entries, lease.of))
    },
    drop: async (tags) => {
      if (await attempt('cache.drop', () => store.drop(tags))) return
      undropped.add(tags)
      retryLater()
    },
    close: async () => {
      closed = true
      forget?.()
      await store.close()
    },
  }
}

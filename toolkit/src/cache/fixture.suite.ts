import { memoryCache } from '../engines/memory-cache/index.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv, type ManualEnv } from '../testing/manual-env.ts'
import { openCaches, type Caches } from './caches.ts'
import type { CacheEngine, CacheStore } from './store.ts'

/* What the tests of the cache share. */

export interface CachesUnderTest {
  readonly env: ManualEnv
  readonly caches: Caches
  /** Lines that were logged, read. */
  readonly logged: Record<string, unknown>[]
}

export const cachesUnderTest = async (engine?: CacheEngine): Promise<CachesUnderTest> => {
  const env = manualEnv()
  const logged: Record<string, unknown>[] = []
  const write = (line: string) => logged.push(JSON.parse(line) as Record<string, unknown>)
  const log = logger({ env, level: 'debug', write })
  return { env, logged, caches: await openCaches({ env, log, engine: engine ?? memoryCache() }) }
}

/** A fill that goes on until it is told what it makes. */
export const gate = <T>() => {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  let begun = 0
  return {
    resolve,
    reject,
    fill: () => {
      begun += 1
      return promise
    },
    get begun() {
      return begun
    },
  }
}

/** A cache behind a wire that a test can cut. */
export const remoteCache = () => {
  const state: { is: 'well' | 'slow' | 'failing' | 'hanging' } = { is: 'well' }
  const calls: string[] = []
  const engine: CacheEngine = {
    name: 'remote',
    remote: true,
    open: async (env) => {
      const memory = await memoryCache().open(env)
      const over = <T>(name: string, call: () => Promise<T>): Promise<T> => {
        calls.push(name)
        if (state.is === 'failing') throw new Error('ECONNREFUSED')
        if (state.is === 'slow') return call().then((answer) => env.sleep(150).then(() => answer))
        return state.is === 'hanging' ? new Promise<T>(() => undefined) : call()
      }
      const store: CacheStore = {
        get: (wanted) => over('get', () => memory.get(wanted)),
        put: (entries, lease) => over('put', () => memory.put(entries, lease)),
        drop: (tags) => over(`drop ${String(tags)}`, () => memory.drop(tags)),
        close: () => memory.close(),
      }
      return store
    },
  }
  return { engine, state, calls }
}

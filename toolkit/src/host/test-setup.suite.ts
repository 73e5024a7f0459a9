import { listenHttp } from '../engines/http/index.ts'
import { memoryCache } from '../engines/memory-cache/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { secretText } from './secret.ts'
import type { Setup } from './setup.ts'

/** A setup of a system in memory, on free ports of the loopback address, into which nobody can sign in. */
export const testSetup = (given: Pick<Setup, 'system'> & Partial<Setup>): Setup => ({
  development: false,
  stores: memoryStores(),
  cache: memoryCache({}),
  ports: {},
  listen: listenHttp,
  edge: {},
  authenticate: () => () => Promise.resolve(undefined),
  public: { host: '127.0.0.1', port: 0 },
  operator: { host: '127.0.0.1', port: 0 },
  masterSecret: secretText('a secret that only this test knows', 'SECRET'),
  ...given,
})

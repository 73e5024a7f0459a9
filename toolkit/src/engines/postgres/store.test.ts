import { afterAll, describe, test } from 'vitest'
import { manualEnv } from '../../testing/manual-env.ts'
import { startPostgres } from '../../testing/postgres-server.ts'
import { storeSuite } from '../../testing/store.suite.ts'
import { sqlStores } from '../sql/index.ts'
import { sqlSuiteRepositories } from '../sql/store.suite.ts'
import { postgres } from './index.ts'

const started = await startPostgres()
if ('missing' in started) {
  const title = `PostgreSQL: the store port [skipped: ${started.missing}]`
  describe(title, () => {
    test.skipIf(true)('all of it', () => undefined)
  })
} else {
  // Two engines with pools of their own, as two hosts have them.
  const hosts = [1, 2].map(() => sqlStores(postgres({ url: started.url, prefix: started.prefix })))
  afterAll(async () => {
    await Promise.all(hosts.map((host) => host.close()))
    await started.stop()
  }, 20_000)

  let opened = 0
  storeSuite('PostgreSQL', async () => {
    const [service, env] = [`s${(opened += 1)}`, manualEnv()]
    // At the same moment, as hosts of one system start.
    const stores = await Promise.all(
      hosts.map((host) => host.open(service, sqlSuiteRepositories, env)),
    )
    const [first, second] = stores
    if (first === undefined || second === undefined) throw new Error('two hosts have two stores')
    return { first, second, env, end: () => Promise.resolve() }
  })
}

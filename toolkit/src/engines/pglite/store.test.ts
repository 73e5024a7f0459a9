import { afterAll } from 'vitest'
import { manualEnv } from '../../testing/manual-env.ts'
import { storeSuite } from '../../testing/store.suite.ts'
import { sqlStores } from '../sql/index.ts'
import { sqlSuiteRepositories } from '../sql/store.suite.ts'
import { pglite } from './index.ts'

const engine = sqlStores(pglite())
afterAll(() => engine.close())

let opened = 0
storeSuite('pglite', async () => {
  const [service, env] = [`s${(opened += 1)}`, manualEnv()]
  const open = () => engine.open(service, sqlSuiteRepositories, env)
  return { first: await open(), second: await open(), env, end: () => Promise.resolve() }
})

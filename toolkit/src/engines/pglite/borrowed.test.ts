import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { manualEnv } from '../../testing/manual-env.ts'
import { storeSuite } from '../../testing/store.suite.ts'
import { sqlServerSuite } from '../sql/database.suite.ts'
import { groupingSuite } from '../sql/grouping.suite.ts'
import { sqlStores } from '../sql/index.ts'
import { sqlSuiteRepositories } from '../sql/store.suite.ts'
import { pglite } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'serval-borrowed-'))
const host = () => pglite({ folder, shared: true })
const lender = host()
await lender.open('lender')
const borrower = host()
afterAll(async () => {
  await borrower.close()
  await lender.close()
  rmSync(folder, { recursive: true, force: true })
})

sqlServerSuite('PGlite, borrowed', host)
groupingSuite('PGlite, borrowed', host)

const [first, second] = [sqlStores(borrower), sqlStores(lender)]
let opened = 0
storeSuite('PGlite, borrowed by one host from the other', async () => {
  const [service, env] = [`s${(opened += 1)}`, manualEnv()]
  return {
    first: await first.open(service, sqlSuiteRepositories, env),
    second: await second.open(service, sqlSuiteRepositories, env),
    env,
    end: () => Promise.resolve(),
  }
})

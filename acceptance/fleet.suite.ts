import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { apiSuite, skippedSuite } from './api.suite.ts'
import { givenPlace } from './given-place.ts'
import { dropDatabases, postgresUrl, uniquePrefix, whyNoPostgres } from './postgres-databases.ts'
import { startShop } from './shop-process.ts'

/** The public API, unchanged, of a shop that runs as many processes on a PostgreSQL server. */
export const fleetSuite = async (setup: string): Promise<void> => {
  if (givenPlace() !== undefined)
    return skippedSuite(setup, 'the shop at SERVAL_ACCEPTANCE_URL is tested')
  if (postgresUrl === undefined) return skippedSuite(setup, whyNoPostgres)
  const url = postgresUrl
  const data = mkdtempSync(join(tmpdir(), `serval-${setup}-`))
  const prefix = uniquePrefix()
  const shop = await startShop({
    data,
    main: 'toolkit/src/cli/main.ts',
    command: 'up',
    setup,
    env: { SERVAL_DATABASE_URL: url, SERVAL_DATABASE_PREFIX: prefix },
  })
  afterAll(async () => {
    await shop.stop()
    await dropDatabases(url, prefix)
    rmSync(data, { recursive: true, force: true })
  }, 120_000)
  await apiSuite(shop)
}

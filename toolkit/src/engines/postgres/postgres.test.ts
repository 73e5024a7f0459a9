import { afterAll, describe, test } from 'vitest'
import { startPostgres } from '../../testing/postgres-server.ts'
import { sqlServerSuite } from '../sql/database.suite.ts'
import { postgres } from './index.ts'

const started = await startPostgres()

if ('missing' in started) describe.skip(`PostgreSQL: ${started.missing}`, () => test('skipped', () => {}))
else {
  const { url, prefix } = started
  afterAll(() => started.stop())
  let servers = 0
  sqlServerSuite('PostgreSQL', () => postgres({ url, prefix: `${prefix}${(servers += 1)}_` }))
}

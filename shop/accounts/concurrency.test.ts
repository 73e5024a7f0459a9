import { systemEnv } from 'serval'
import { postgres } from 'serval/engines/postgres'
import { startPostgres } from 'serval/testing'
import { describe, test } from 'vitest'
import { startAccounts, type Heard } from './accounts-in-test.suite.ts'
import { accountsConcurrencySuite } from './concurrency.suite.ts'

// The clock stands still: what is locked stays locked however long the machine takes.
let now = Date.now()
const env = { ...systemEnv(), now: () => now }
const pass = (ms: number) => (now += ms)

accountsConcurrencySuite('one host, embedded PostgreSQL', async () => {
  const host = await startAccounts({ env })
  return { hosts: [host], pass, end: () => host.system.end() }
})

const server = await startPostgres()

if ('missing' in server)
  describe(`two hosts, PostgreSQL [skipped: ${server.missing}]`, () => {
    test.skipIf(true)('all of it', () => undefined)
  })
else
  accountsConcurrencySuite('two hosts, PostgreSQL', async () => {
    const heard: Heard[] = []
    const store = () => postgres({ url: server.url, prefix: server.prefix })
    const hosts = await Promise.all(
      [1, 2].map(() => startAccounts({ env, heard, server: store() })),
    )
    return {
      hosts,
      pass,
      end: async () => {
        for (const host of hosts) await host.system.end()
        await server.stop()
      },
    }
  })

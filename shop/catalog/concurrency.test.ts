import { postgres } from 'serval/engines/postgres'
import { startPostgres, startTestServices } from 'serval/testing'
import { describe, test } from 'vitest'
import { catalogConcurrencySuite } from './concurrency.suite.ts'
import { catalogService } from './service.ts'

catalogConcurrencySuite('one host, embedded PostgreSQL', async () => {
  const system = await startTestServices({ services: [catalogService] })
  return { hosts: [system], end: () => system.end() }
})

const server = await startPostgres()

if ('missing' in server)
  describe(`two hosts, PostgreSQL [skipped: ${server.missing}]`, () => {
    test.skipIf(true)('all of it', () => undefined)
  })
else
  catalogConcurrencySuite('two hosts, PostgreSQL', async () => {
    const hosts = await Promise.all(
      [1, 2].map(() =>
        startTestServices({
          services: [catalogService],
          server: postgres({ url: server.url, prefix: `${server.prefix}c_` }),
        }),
      ),
    )
    return {
      hosts,
      end: async () => {
        for (const host of hosts) await host.end()
        await server.stop()
      },
    }
  })

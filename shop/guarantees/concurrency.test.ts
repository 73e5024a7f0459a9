import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { postgres } from 'serval/engines/postgres'
import { startPostgres } from 'serval/testing'
import { describe, test } from 'vitest'
import { inventoryConcurrencySuite } from '../inventory/concurrency.suite.ts'
import { inventoryService } from '../inventory/service.ts'
import { startTestServices } from 'serval/testing'
import { concurrencySuite } from './concurrency.suite.ts'

concurrencySuite('one host, embedded PostgreSQL', async () => {
  const server = pglite({})
  return { worlds: [{ server, mail: mailbox({}) }], end: () => server.close() }
})

const server = await startPostgres()

if ('missing' in server)
  describe(`two hosts, PostgreSQL [skipped: ${server.missing}]`, () => {
    test.skipIf(true)('all of it', () => undefined)
  })
else {
  concurrencySuite('two hosts, PostgreSQL', async () => {
    const mail = mailbox({})
    const worlds = [1, 2].map(() => ({
      server: postgres({ url: server.url, prefix: server.prefix }),
      mail,
    }))
    return {
      worlds,
      end: async () => {
        await Promise.all(worlds.map((world) => world.server.close()))
      },
    }
  })

  inventoryConcurrencySuite('two hosts, PostgreSQL', async () => {
    const prefix = `${server.prefix}i_`
    const hosts = await Promise.all(
      [1, 2].map(() =>
        startTestServices({
          services: [inventoryService],
          server: postgres({ url: server.url, prefix }),
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
}

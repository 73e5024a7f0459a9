import { startTestServices } from 'serval/testing'
import { inventoryConcurrencySuite } from './concurrency.suite.ts'
import { inventoryService } from './service.ts'

inventoryConcurrencySuite('embedded', async () => {
  const system = await startTestServices({ services: [inventoryService] })
  return { hosts: [system], end: () => system.end() }
})

import { inventory, mostUnits } from '../../inventory/contract.ts'
import {
  anonymous,
  askRaw,
  merchant,
  operator,
  other,
  refused,
  userOf,
  type Stage,
} from './stage.suite.ts'

/** As long as a key may be, and not ASCII. */
export const longKey = 'ü🐈"\\/% '.repeat(32).slice(0, 255)

export const inventoryScript = async (stage: Stage): Promise<void> => {
  const shop = stage.client(inventory, merchant)
  const services = stage.client(inventory, other)
  const counts = ['TEA', 'DEAR', 'A/B C?'].map((sku) => ({ sku, onHand: 100 }))
  await services.provide({ counts })
  await services.provide({ counts: [...counts, { sku: 'LARGE', onHand: 5 }] })
  await services.provide({ counts: [] })

  await stage.client(inventory, anonymous).stock({ sku: 'A/B C?' })
  await refused('no-such-stock', shop.stock({ sku: 'NONE' }))
  await shop.count({ sku: 'NEW', onHand: 10 })

  await shop.adjust({ sku: 'NEW', delta: -3, reason: 'broken “ü”' }, { key: longKey })
  await shop.adjust({ sku: 'NEW', delta: -3, reason: 'broken “ü”' }, { key: longKey })
  await shop.adjust({ reason: 'broken “ü”', sku: 'NEW', delta: -3 }, { key: longKey })
  await refused(
    'idempotency-key-reused',
    shop.adjust({ sku: 'NEW', delta: -4, reason: 'broken' }, { key: longKey }),
  )
  await services.adjust({ sku: 'NEW', delta: 2, reason: 'found' }, { key: longKey })
  const adjust = (sku: string, delta: number) =>
    shop.adjust({ sku, delta, reason: 'x' }, { key: `${sku} ${delta}` })
  await refused('no-such-stock', adjust('NONE', 1))
  await refused('too-many-units', adjust('NEW', mostUnits))
  await refused('idempotency-key-missing', shop.adjust({ sku: 'NEW', delta: 1, reason: 'x' }))
  for (const key of ['', ' ', '0', longKey.toUpperCase()])
    await shop.adjust({ sku: 'NEW', delta: 1, reason: 'x' }, { key })
  const page = await shop.adjustments({ sku: 'NEW', limit: 1 })
  await shop.adjustments({ sku: 'NEW', ...(page.next !== undefined && { cursor: page.next }) })
  await shop.adjustments({ sku: 'TEA' })
  await refused('no-such-stock', shop.adjustments({ sku: 'NONE' }))

  const lines = [{ sku: 'NEW', quantity: 4 }]
  await services.reserve({ orderId: 'one', lines })
  await services.reserve({ orderId: 'one', lines })
  await refused(
    'out-of-stock',
    services.reserve({ orderId: 'two', lines: [{ sku: 'NEW', quantity: 10 }] }),
  )
  await refused('below-reserved', shop.count({ sku: 'NEW', onHand: 3 }))
  await refused('below-reserved', adjust('NEW', -10))
  await services.commit({ orderId: 'one' })
  await services.commit({ orderId: 'one' })
  await refused('reservation-gone', services.commit({ orderId: 'never' }))
  await services.release({ orderId: 'three' })
  await refused('reservation-gone', services.reserve({ orderId: 'three', lines }))
  await services.release({ orderId: 'one' })
  await stage.client(inventory, operator).audit({})
  for (const caller of [anonymous, userOf('somebody'), merchant, other])
    await refused('forbidden', askRaw(stage, inventory, 'audit', caller, {}))
}

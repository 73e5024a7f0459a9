import { askRaw, merchant, operator, other, refused, userOf, type Stage } from './stage.suite.ts'

/** Calls of what is not there, and of what services answer beside their contracts. */
export const nobodyScript = async (stage: Stage): Promise<void> => {
  for (const caller of [merchant, operator, other]) {
    await refused('no-such-operation', askRaw(stage, 'catalog', 'buy', caller, {}))
    await refused('no-such-operation', askRaw(stage, 'catalog', 'ü/../%', caller, {}))
    await refused('unavailable', askRaw(stage, 'warehouse', 'open', caller, {}))
  }
  await refused('forbidden', askRaw(stage, 'catalog', '$log.heads', merchant, {}))
  await refused('forbidden', askRaw(stage, 'catalog', '$parked.list', operator, {}))
  await askRaw(stage, 'notifications', '$parked.list', other, {})
  await refused('invalid-input', askRaw(stage, 'notifications', '$parked.replay', other, {}))
}

/** Names, keys and values that a link may stumble over. */
export const oddScript = async (stage: Stage): Promise<void> => {
  const parsed = (json: string): unknown => JSON.parse(json)
  const adjust = (key: string, reason = 'x') =>
    askRaw(stage, 'inventory', 'adjust', merchant, { sku: 'NEW', delta: 1, reason }, { key })
  for (const key of ['a\nb\r\nc: d', '%00', '"', ' blank ', '🐈'.repeat(127), '\u2028'])
    await adjust(key)
  await adjust('half', 'half of a pair: \ud800')
  const lines = Array.from({ length: 1_200 }, (_, n) => ({ sku: 'TEA', quantity: n + 1 }))
  await askRaw(stage, 'catalog', 'quote', other, { lines })
  for (const operation of ['constructor', '__proto__', 'toString'])
    await refused('no-such-operation', askRaw(stage, 'catalog', operation, other, {}))
  for (const contract of [
    'catalog/product',
    '../catalog',
    'constructor',
    '__proto__',
    'catalog$log',
  ])
    await refused('unavailable', askRaw(stage, contract, 'product', other, { sku: 'TEA' }))
  for (const caller of [userOf('ü\ud800🐈', 'ü', ''), { ...userOf(''), session: '' }])
    await askRaw(stage, 'orders', 'list', caller, {})
  const hidden = parsed('{"__proto__": {"a": 1}, "constructor": 1, "sku": "TEA"}')
  await askRaw(stage, 'catalog', 'product', other, hidden)
  await askRaw(stage, 'catalog', 'create', merchant, {
    sku: 'ODD',
    name: '\ud800 \uffff \u2029',
    price: { amount: 1e3, currency: 'GBP' },
    category: '…',
    attributes: parsed('{"__proto__": "a", "constructor": "b", " ": "c"}'),
  })
  await askRaw(stage, 'catalog', 'product', other, { sku: 'ODD' })
}

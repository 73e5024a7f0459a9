import { afterAll, beforeAll, expect, test } from 'vitest'
import { startShopInMemory } from '../replay/shop-in-memory.suite.ts'
import { demo } from './demo.ts'

let shop: Awaited<ReturnType<typeof startShopInMemory>>

beforeAll(async () => void (shop = await startShopInMemory()))
afterAll(() => shop.end())

const run = async (...argv: string[]) => {
  let out = ''
  let err = ''
  const code = await demo(argv, {
    out: { isTTY: false, write: (text: string) => ((out += text), true) },
    err: { write: (text: string) => ((err += text), true) },
  })
  return { code, out, err }
}

test('a customer’s day ends as it should', async () => {
  const { code, out, err } = await run('--address', shop.address)
  expect(err).toBe('')
  for (const end of [
    'cancelled: payment-declined',
    'cancelled: out-of-stock',
    ' cancelled-by-customer',
  ])
    expect(out).toContain(end)
  expect(out.match(/✓ .* confirmed\n/g)).toHaveLength(3)
  expect(out).toContain('both replies are that of order')
  expect(out).toContain('4 confirmed, 3 cancelled')
  for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  expect(shop.errors).toEqual([])
  expect(code).toBe(0)
})

test('what is wrong is told in words', async () => {
  const away = await run('--address', 'http://127.0.0.1:1')
  expect([away.code, away.err]).toEqual([1, expect.stringContaining('start it with npm start')])
  expect((await run('--address', 'here')).err).toContain('it is "here"')
  expect((await run('--fast')).err).toContain('--fast')
  expect(await run('--help')).toMatchObject({ code: 0, err: '' })
})

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { rowsOf } from './csv.ts'
import { customerOf, median, planner, planOf } from './plan.ts'

const fixture = join(import.meta.dirname, 'fixture.csv')

test('a median of an even count is the mean of the middle two, half a unit up', () => {
  expect(median([3])).toBe(3)
  expect(median([9, 1, 5])).toBe(5)
  expect(median([10, 1, 2, 1])).toBe(2)
  expect(median([4, 2])).toBe(3)
  expect(() => median([])).toThrow(RangeError)
})

test('orders are invoices of digits with a line of quantity and price above 0', async () => {
  const { orders, file, lines } = await planOf(rowsOf(fixture))
  expect(orders.map(({ invoice }) => invoice)).toEqual(
    ['01', '03', '04', '05', '08', '10', '11', '13', '14'].map((end) => `7000${end}`),
  )
  expect(file).toEqual({ rows: 28, orders: 9, lines: 21, leftOut: 7 })
  expect(lines).toBe(21)
  expect(orders.find(({ invoice }) => invoice === '700008')?.lines).toEqual([
    { sku: '40006', quantity: 1 },
  ])
})

test('an invoice whose lines are split by another’s is one order, dated by its first line', async () => {
  const { orders } = await planOf(rowsOf(fixture))
  expect(orders.find(({ invoice }) => invoice === '700004')).toMatchObject({
    at: Date.parse('2012-03-05T08:11:00Z'),
    lines: [
      { sku: '40003b', quantity: 5 },
      { sku: 'BANK CHARGES', quantity: 1 },
      { sku: '40002', quantity: 1 },
    ],
  })
})

test('a product costs the median of its prices and bears its commonest description', async () => {
  const { products } = await planOf(rowsOf(fixture))
  const of = (sku: string) => products.find((product) => product.sku === sku)
  expect(of('40001A')).toEqual({
    sku: '40001A',
    name: 'BLUE ENAMEL MUG',
    priceMinor: 255,
    quantity: 11,
  })
  expect(of('40002')).toMatchObject({ name: 'SIGN, "MIND THE CAT"', priceMinor: 339 })
  // 995 and 850: 922.5, half a penny up.
  expect(of('40006')).toMatchObject({ name: 'CAFÉ CHALKBOARD ≠ MENU', priceMinor: 923 })
  // Letters count: these are two products.
  expect(of('40003b')).toMatchObject({ priceMinor: 100, quantity: 11 })
  expect(of('40003B')).toMatchObject({ priceMinor: 210, quantity: 2 })
  expect(of('40004')).toBeUndefined()
  expect(of('40005')).toBeUndefined()
})

test('a product that is never described is called by its SKU', () => {
  const { add, plan } = planner()
  const at = Date.parse('2012-03-05T08:00:00Z')
  const row = { invoice: '1', at, customer: '', country: 'EIRE', sku: 'X', description: '' }
  add({ ...row, quantity: 1, unitPriceMinor: 5 })
  expect(plan().products[0]?.name).toBe('X')
})

test('a total is the sum of quantity × median, the same SKU twice included', async () => {
  const { orders } = await planOf(rowsOf(fixture))
  const totals = new Map(orders.map(({ invoice, totalMinor }) => [invoice, totalMinor]))
  expect(totals.get('700001')).toBe(10 * 255 + 2 * 339)
  expect(totals.get('700003')).toBe(1_800 + 6 * 100)
  expect(totals.get('700014')).toBe(48 * 125)
})

test('a limit takes the first orders, at the prices of the whole file', async () => {
  const whole = await planOf(rowsOf(fixture))
  const part = await planOf(rowsOf(fixture), 2)
  expect(part.orders).toEqual(whole.orders.slice(0, 2))
  expect(part.products.map(({ sku }) => sku)).toEqual(['40001A', '40002', 'POST', '40003b'])
  expect(part.products.find(({ sku }) => sku === '40003b')).toMatchObject({
    priceMinor: 100,
    quantity: 6,
  })
  expect(part.customers.map(({ email }) => email)).toEqual([
    'customer-10001@replay.test',
    'guest-united-kingdom@replay.test',
  ])
})

test('who orders without a customer number is the guest of a country', () => {
  expect(customerOf({ customer: '', country: 'Hong Kong' })).toEqual({
    email: 'guest-hong-kong@replay.test',
    name: 'Guest, Hong Kong',
  })
  expect(customerOf({ customer: '17850', country: 'EIRE' }).email).toBe(
    'customer-17850@replay.test',
  )
  expect(customerOf({ customer: '', country: 'Côte d’Ivoire' }).email).toBe(
    'guest-cote-d-ivoire@replay.test',
  )
})

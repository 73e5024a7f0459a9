import { expect, test } from 'vitest'
import { rowText, tableOn, type TableRow } from './table.ts'

const row = (status: 'placed' | 'confirmed' | 'cancelled'): TableRow => ({
  title: 'good card',
  card: 'tok_ok',
  order: { id: '1', status, total: { amount: 123_456, currency: 'GBP' } },
  afterMs: 1_240,
})

const written = (isTTY: boolean) => {
  const texts: string[] = []
  const table = tableOn({ isTTY, write: (text: string) => texts.push(text) > 0 })
  return { table, texts }
}

test('a row fits into 80 columns, whatever happened', () => {
  expect(rowText(row('confirmed'))).toBe(
    '  ✓ good card      tok_ok       £1,234.56 1.2 s confirmed',
  )
  const cancelled = row('cancelled')
  const order = { ...cancelled.order, reason: 'cancelled-by-customer', refunded: true } as const
  const longest = { ...cancelled, title: 'change of mind', card: 'tok_declined', order }
  expect(rowText(longest).length).toBeLessThan(80)
})

test('a terminal’s table is drawn over itself', () => {
  const { table, texts } = written(true)
  table.show([row('placed'), row('placed')])
  table.show([row('confirmed'), row('placed')])
  expect(texts[0]?.startsWith('  …')).toBe(true)
  expect(texts[1]?.startsWith('\u001b[2A\r\u001b[0J  ✓')).toBe(true)
})

test('elsewhere a row is printed when its order has moved', () => {
  const { table, texts } = written(false)
  for (const status of ['placed', 'placed', 'confirmed', 'confirmed'] as const)
    table.show([row(status)])
  expect(texts).toHaveLength(2)
})

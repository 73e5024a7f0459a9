import { expect, test } from 'vitest'
import { reasons } from '../orders/contract.ts'
import { moneyText, render } from './render.ts'

const total = { amount: 129_999, currency: 'GBP' }

test('money is written in its currency’s own digits, to the last one', () => {
  const texts = (
    [
      [0, 'GBP'],
      [5, 'GBP'],
      [129_999, 'GBP'],
      [1_000, 'JPY'],
      [12_345, 'KWD'],
      [Number.MAX_SAFE_INTEGER, 'EUR'],
    ] as const
  ).map(([amount, currency]) => moneyText({ amount, currency }).replaceAll('\u00a0', ' '))
  expect(texts).toEqual([
    '£0.00',
    '£0.05',
    '£1,299.99',
    'JP¥1,000',
    'KWD 12.345',
    '€90,071,992,547,409.91',
  ])
})

test('a currency that nobody knows is written all the same', () => {
  expect(moneyText({ amount: 150, currency: 'XQZ' })).toMatch(/^XQZ.1\.50$/)
})

test('a confirmed order', () => {
  expect(render({ kind: 'order-confirmed', orderId: '0197-7', total })).toEqual({
    subject: 'Your order 0197-7 is confirmed',
    text: `Hello,

Thank you for your order. It is confirmed, and we are getting it ready.

Order: 0197-7
Total: £1,299.99

Kind regards,
The shop
`,
  })
})

test('a cancelled order says why, and whether money went back', () => {
  const texts = reasons.flatMap((reason) =>
    [true, false].map((refunded) => {
      const { subject, text } = render({
        kind: 'order-cancelled',
        orderId: '7',
        total,
        reason,
        refunded,
      })
      expect(subject).toBe('Your order 7 was cancelled')
      expect(text).not.toContain(reason)
      expect(text.includes('We have refunded £1,299.99.')).toBe(refunded)
      expect(text.includes('You have not been charged.')).toBe(!refunded)
      return text
    }),
  )
  expect(new Set(texts).size).toBe(8)
})

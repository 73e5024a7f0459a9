import { expect, test } from 'vitest'
import { amountsOf, Money } from './money.ts'

test('a sum beyond 2^53−1 is given in several amounts that make it up exactly', () => {
  const most = BigInt(Number.MAX_SAFE_INTEGER)
  for (const sum of [0n, 1n, most, most + 1n, 2n * most, 5n * most + 7n]) {
    const amounts = amountsOf(String(sum), 'GBP')
    for (const amount of amounts) expect(Money.parse(amount)).toEqual(amount)
    expect(amounts.reduce((total, { amount }) => total + BigInt(amount), 0n)).toBe(sum)
  }
  expect(amountsOf('1299', 'GBP')).toEqual([{ amount: 1299, currency: 'GBP' }])
})

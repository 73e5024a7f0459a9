import { z } from 'zod'

/** An amount in minor units of a currency (ISO 4217). */
export const Money = z.object({
  amount: z.int().min(0),
  currency: z.string().regex(/^[A-Z]{3}$/, 'A currency is three capital letters, such as GBP'),
})
export type Money = z.output<typeof Money>

/**
 * A sum, in decimal digits, as amounts: more than one of its currency when it is beyond 2^53−1, which each of them keeps to. A sum over all
 * orders may grow beyond what one order may cost.
 */
export const amountsOf = (digits: string, currency: string): Money[] => {
  const most = BigInt(Number.MAX_SAFE_INTEGER)
  const amounts: Money[] = []
  let left = BigInt(digits)
  for (; left > most; left -= most) amounts.push({ amount: Number(most), currency })
  return [...amounts, { amount: Number(left), currency }]
}

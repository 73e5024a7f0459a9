import { z } from 'zod'

/** An amount in minor units of a currency (ISO 4217). */
export const Money = z.object({
  amount: z.int().min(0),
  currency: z.string().regex(/^[A-Z]{3}$/, 'A currency is three capital letters, such as GBP'),
})
export type Money = z.output<typeof Money>

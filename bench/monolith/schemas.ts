import { z } from 'zod'

/** What may be sent, with the limits of the contender's contracts. */

const Sku = z.string().regex(/^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/)
export const Money = z.strictObject({
  amount: z.int().min(0),
  currency: z.string().regex(/^[A-Z]{3}$/),
})
export const Registration = z.strictObject({
  email: z.email().max(254),
  password: z.string().min(8).max(256),
  name: z.string().min(1).max(100),
})
export const Login = z.strictObject({
  email: z.string().min(1).max(254),
  password: z.string().min(1).max(256),
})
export const Product = z.strictObject({
  sku: Sku,
  name: z.string().min(1).max(200),
  description: z.string().max(2_000),
  price: Money,
  category: z.string().min(1).max(100),
  attributes: z.record(z.string().min(1).max(50), z.string().max(200)),
})
export const Count = z.strictObject({ onHand: z.int().min(0).max(1_000_000_000) })
export const NewOrder = z.strictObject({
  lines: z
    .array(z.strictObject({ sku: Sku, quantity: z.int().min(1).max(100_000) }))
    .min(1)
    .max(1_200),
  payment: z.strictObject({ token: z.string().min(1).max(200) }),
  shipTo: z
    .strictObject({
      name: z.string().min(1).max(100),
      street: z.string().min(1).max(200),
      city: z.string().min(1).max(100),
      postcode: z.string().min(1).max(20),
      country: z.string().min(1).max(60),
    })
    .optional(),
})

export type Product = z.output<typeof Product>
export type NewOrder = z.output<typeof NewOrder>
export type Registration = z.output<typeof Registration>
export type Login = z.output<typeof Login>

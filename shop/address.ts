import { z } from 'zod'

/** Where goods go: a person's address as the profile keeps it and an order ships to it. */
export const Address = z.object({
  name: z.string().min(1).max(100),
  street: z.string().min(1).max(200),
  city: z.string().min(1).max(100),
  postcode: z.string().min(1).max(20),
  country: z.string().min(1).max(60),
})
export type Address = z.output<typeof Address>

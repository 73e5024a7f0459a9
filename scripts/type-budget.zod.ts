// What zod costs by itself, which scripts/type-budget.sample.ts pays too.

import { z } from 'zod'

const Item = z.object({ id: z.string(), title: z.string(), tags: z.array(z.string()).optional() })

export const schema: z.ZodType = Item

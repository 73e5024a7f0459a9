import { contract, query, service } from 'serval'
import { memoryStores } from 'serval/engines/memory'
import { startTestServices } from 'serval/testing'
import { z } from 'zod'
import { totalOf, type Quote } from './quotes.ts'

export const quotes = contract('quotes', {
  operations: {
    quote: query({
      summary: 'The total of some lines',
      access: 'internal',
      input: z.object({
        lines: z
          .array(
            z.object({ sku: z.string().min(1).max(64), quantity: z.int().min(1).max(100_000) }),
          )
          .min(1),
      }),
      output: z.object({ units: z.int(), total: z.int() }),
    }),
  },
})

const quotesService = service(quotes, {
  operations: { quote: async (input) => totalOf(input) },
})

/** A call as one service makes it to another in its process: every guard, validation both ways, correlation. */
export const servalQuote = async (): Promise<Quote> => {
  const running = await startTestServices({ services: [quotesService], stores: memoryStores() })
  const { quote } = running.client(quotes, { kind: 'service', name: 'bench' })
  return (input) => quote({ lines: [...input.lines] })
}

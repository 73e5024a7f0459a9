import { ServiceBroker } from 'moleculer'
import { totalOf, type Input, type Quote } from './quotes.ts'

/**
 * How Moleculer is set up: `defaults` as it comes (validation on; no time-out, no tracing), `deadline-trace` with a time-out
 * for each call and spans, `guards` with what else it has: retry, circuit breaker, bulkhead.
 */
export const settings = {
  defaults: {},
  'deadline-trace': { requestTimeout: 10_000, tracing: { enabled: true, exporter: null } },
  guards: {
    requestTimeout: 10_000,
    tracing: { enabled: true, exporter: null },
    retryPolicy: { enabled: true },
    circuitBreaker: { enabled: true },
    bulkhead: { enabled: true, concurrency: 1_024 },
  },
} as const

export type Setting = keyof typeof settings

/** The same operation on Moleculer. */
export const quotesSchema = {
  name: 'quotes',
  actions: {
    quote: {
      params: {
        lines: {
          type: 'array',
          min: 1,
          items: {
            type: 'object',
            props: {
              sku: { type: 'string', min: 1, max: 64 },
              quantity: { type: 'number', integer: true, min: 1, max: 100_000 },
            },
          },
        },
      },
      handler: (context: { params: Input }) => totalOf(context.params),
    },
  },
}

/** The operation, called through its local broker. */
export const moleculerQuote = async (setting: Setting): Promise<Quote> => {
  const broker = new ServiceBroker({ logger: false, ...settings[setting] })
  broker.createService(quotesSchema)
  await broker.start()
  return (input) => broker.call('quotes.quote', { lines: [...input.lines] })
}

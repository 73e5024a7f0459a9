import type { Quote } from '../calls/quotes.ts'

/** Calls between two processes. */
export interface Engine {
  /** Answers how it is called; `broker` is the URL of what it goes through, empty where it goes through nothing. */
  serve(broker: string): Promise<string>
  call(address: string): Promise<Quote>
}

/** Loaded when they are wanted, so that none pays for another. */
export const engines: Readonly<Record<string, () => Promise<Engine>>> = {
  http: async () => (await import('./serval.ts')).http,
  wire: async () => (await import('./serval.ts')).wire,
  moleculer: async () => (await import('./moleculer.ts')).overTcp,
  'moleculer-nats': async () => (await import('./moleculer.ts')).overNats,
  nest: async () => (await import('./nest.ts')).overTcp,
  'nest-nats': async () => (await import('./nest.ts')).overNats,
}

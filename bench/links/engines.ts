import type { Quote } from '../calls/quotes.ts'

/** Calls between two processes. */
export interface Engine {
  /** Answers how it is called. */
  serve(): Promise<string>
  call(address: string): Promise<Quote>
}

/** Loaded when they are wanted, so that none pays for another. */
export const engines: Readonly<Record<string, () => Promise<Engine>>> = {
  http: async () => (await import('./serval.ts')).http,
  wire: async () => (await import('./serval.ts')).wire,
  moleculer: async () => (await import('./moleculer.ts')).moleculer,
}

import { describe, expect, test } from 'vitest'
import { installed, notInstalled } from '../machine/about.ts'
import { inputs, totalOf, type Input, type Quote } from './quotes.ts'

// Loaded when they are wanted: the packages are installed for the bench alone.
const moleculer = async (setting: 'defaults' | 'deadline-trace' | 'guards'): Promise<Quote> =>
  (await import('./moleculer.ts')).moleculerQuote(setting)

const engines = [
  ['serval', async () => (await import('./serval.ts')).servalQuote()],
  ['moleculer as it comes', () => moleculer('defaults')],
  ['moleculer with time-out and trace', () => moleculer('deadline-trace')],
  ['moleculer with all its guards', () => moleculer('guards')],
] as const

const title = `both sides of a call${installed ? '' : ` [skipped: ${notInstalled}]`}`
describe.skipIf(!installed)(title, () => {
  test.each(engines)(
    '%s answers what was asked, and refuses what is not valid',
    async (_, start) => {
      const quote = await start()
      for (const input of inputs.slice(0, 6)) expect(await quote(input)).toEqual(totalOf(input))
      const wrong: Input = { lines: [{ sku: '', quantity: 1 }] }
      expect(await quote(wrong).catch((error: unknown) => error)).toBeInstanceOf(Error)
      const fraction: Input = { lines: [{ sku: 'A', quantity: 1.5 }] }
      expect(await quote(fraction).catch((error: unknown) => error)).toBeInstanceOf(Error)
    },
  )
})

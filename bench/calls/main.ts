// One round of local calls in a process of its own: `main.ts <engine> <seconds>`; the result is a line on standard output.

import { callFor, checked, type Round } from './loop.ts'
import { moleculerQuote, type Setting } from './moleculer.ts'
import { servalQuote } from './serval.ts'

export interface CallRound extends Round {
  readonly cpu: number
}

const [engine = '', seconds = '1'] = process.argv.slice(2)
const quote = engine === 'serval' ? await servalQuote() : await moleculerQuote(engine as Setting)
await checked(engine, quote)
await callFor(quote, Math.min(1, Number(seconds)))
const before = process.cpuUsage()
const round = await callFor(quote, Number(seconds))
const { user, system } = process.cpuUsage(before)
const result: CallRound = { ...round, cpu: (user + system) / 1e6 }
process.stdout.write(`${JSON.stringify(result)}\n`)
process.exit(0)

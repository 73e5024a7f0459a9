// One round of local calls in a process of its own: `main.ts <engine> <seconds>`; the result is a line on standard output.

import { moleculerQuote, type Setting } from './moleculer.ts'
import { inputs, totalOf, type Quote } from './quotes.ts'
import { servalQuote } from './serval.ts'

export interface CallRound {
  readonly calls: number
  readonly seconds: number
  readonly cpu: number
}

const inFlight = 64

const callFor = async (quote: Quote, seconds: number): Promise<CallRound> => {
  const cpuBefore = process.cpuUsage()
  const begun = performance.now()
  const until = begun + seconds * 1_000
  let calls = 0
  const caller = async (first: number) => {
    for (let n = first; performance.now() < until; n += inFlight) {
      const input = inputs[n % inputs.length]
      if (input === undefined) continue
      await quote(input)
      calls += 1
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, n) => caller(n)))
  const cpu = process.cpuUsage(cpuBefore)
  return {
    calls,
    seconds: (performance.now() - begun) / 1_000,
    cpu: (cpu.user + cpu.system) / 1e6,
  }
}

const [engine = '', seconds = '1'] = process.argv.slice(2)
const quote = engine === 'serval' ? await servalQuote() : await moleculerQuote(engine as Setting)
for (const input of inputs) {
  const [answer, expected] = [await quote(input), totalOf(input)]
  if (answer.total !== expected.total || answer.units !== expected.units)
    throw new Error(`${engine} answered ${JSON.stringify(answer)}`)
}
await callFor(quote, Math.min(1, Number(seconds)))
const round = await callFor(quote, Number(seconds))
process.stdout.write(`${JSON.stringify(round)}\n`)
process.exit(0)

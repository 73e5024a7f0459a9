// One side of calls between two processes: `side.ts serve <engine>` or `side.ts call <engine> <address>`. It says what it has to say in lines
// on standard output, and takes lines on standard input: seconds to call for, or nothing at all to hear what it used.

import { createInterface } from 'node:readline'
import { totalOf, inputs, type Quote } from '../calls/quotes.ts'
import { engines } from './engines.ts'

export interface Round {
  readonly calls: number
  readonly seconds: number
}

const inFlight = 64

const callFor = async (quote: Quote, seconds: number): Promise<Round> => {
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
  return { calls, seconds: (performance.now() - begun) / 1_000 }
}

const say = (what: unknown) => process.stdout.write(`${JSON.stringify(what)}\n`)
const [side = '', name = '', address = ''] = process.argv.slice(2)
const engine = await engines[name]?.()
if (engine === undefined) throw new Error(`there is no ${name}`)

if (side === 'serve') {
  say(await engine.serve())
  // Ends with who started it.
  for await (const _ of createInterface({ input: process.stdin })) say(process.cpuUsage())
} else {
  const quote = await engine.call(address)
  for (const input of inputs) {
    const [answer, expected] = [await quote(input), totalOf(input)]
    if (answer.total !== expected.total || answer.units !== expected.units)
      throw new Error(`${name} answered ${JSON.stringify(answer)}`)
  }
  say('ready')
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === '') say(process.cpuUsage())
    else say(await callFor(quote, Number(line)))
  }
}
process.exit(0)

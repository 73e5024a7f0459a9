// One side of calls between two processes: `side.ts serve <engine> <broker>` or `side.ts call <engine> <address>`. It says what it has to
// say in lines on standard output, and takes lines on standard input: seconds to call for, or nothing at all to hear what it used.

import { createInterface } from 'node:readline'
import { callFor, checked } from '../calls/loop.ts'
import { engines } from './engines.ts'

const say = (what: unknown) => process.stdout.write(`${JSON.stringify(what)}\n`)
const [side = '', name = '', address = ''] = process.argv.slice(2)
const engine = await engines[name]?.()
if (engine === undefined) throw new Error(`there is no ${name}`)

if (side === 'serve') {
  say(await engine.serve(address))
  // Ends with who started it.
  for await (const _ of createInterface({ input: process.stdin })) say(process.cpuUsage())
} else {
  const quote = await engine.call(address)
  await checked(name, quote)
  say('ready')
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === '') say(process.cpuUsage())
    else say(await callFor(quote, Number(line)))
  }
}
process.exit(0)

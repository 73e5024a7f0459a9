import { createInterface } from 'node:readline'

/*
 * The shop's main program, whose clock a test sets from outside: each line on stdin says how many milliseconds it is ahead
 * of the real one from then on. Timers run as ever.
 */

const real = Date.now
let aheadMs = 0
Date.now = () => real() + aheadMs
createInterface({ input: process.stdin }).on('line', (line) => (aheadMs = Number(line)))

await import('../shop/main.ts')

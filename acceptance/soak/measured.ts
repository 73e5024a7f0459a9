import { createInterface } from 'node:readline'

/*
 * The shop's main program, which tells how much it holds: for each line on stdin it collects its garbage and writes one
 * line of JSON to stdout. Node needs --expose-gc.
 */

const runtime = globalThis as {
  readonly gc?: (how: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void
  readonly Bun?: { gc(force: boolean): void }
}

const collect = async (): Promise<void> => {
  // What a first pass lets go of (finalizers, weak references) a later one collects.
  for (let pass = 0; pass < 4; pass++) {
    runtime.Bun?.gc(true)
    // V8 lets go of what it would only keep for speed, such as code that has not run for long.
    runtime.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

createInterface({ input: process.stdin }).on('line', () => {
  void collect().then(() =>
    process.stdout.write(`\n${JSON.stringify({ held: process.memoryUsage() })}\n`),
  )
})

await import('../../shop/main.ts')

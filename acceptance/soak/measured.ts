import { createInterface } from 'node:readline'
import { getHeapCodeStatistics } from 'node:v8'

/*
 * The shop's main program, which tells how much it holds: for each line on stdin it collects its garbage and writes one
 * line of JSON to stdout. Node needs --expose-gc.
 */

const runtime = globalThis as {
  readonly gc?: (how: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void
  readonly Bun?: { gc(force: boolean): void }
}

/** V8 compiles what comes up seldom for as long as it runs; JavaScriptCore does not tell. */
const codeBytes = (): number => {
  if (runtime.Bun !== undefined) return 0
  const { code_and_metadata_size: code, bytecode_and_metadata_size: bytecode } =
    getHeapCodeStatistics()
  return code + bytecode
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
    process.stdout.write(
      `\n${JSON.stringify({ held: { ...process.memoryUsage(), code: codeBytes() } })}\n`,
    ),
  )
})

await import('../../shop/main.ts')

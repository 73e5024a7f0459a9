import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { CallRound } from '../calls/main.ts'
import { programs, type Runtime } from '../machine/about.ts'
import { interleaved, type Bench } from '../measuring.ts'
import type { ContenderInfo } from '../samples.ts'

export interface Caller {
  readonly id: string
  readonly info: ContenderInfo
  readonly runtime: Runtime
  readonly engine: string
}

const engines = [
  ['serval', 'ours', 'all guards, validation of input and output, correlation'],
  ['deadline-trace', 'theirs', 'time-out and trace, validation of input'],
  ['guards', 'theirs', 'time-out, trace, retry, breaker, bulkhead, validation of input'],
  ['defaults', 'theirs', 'as it comes: validation of input; no time-out, no trace'],
] as const

/** Callers in one process, compared on the same runtime. Moleculer as it comes stands apart: it does not do what is compared. */
export const callersOf = (versions: Readonly<Record<string, string>>): readonly Caller[] =>
  (['node', 'bun'] as const).flatMap((runtime) =>
    engines.map(([engine, side, what]) => {
      const id = `calls-${engine}-${runtime}`
      const library = engine === 'serval' ? 'Serval' : `Moleculer ${versions['moleculer'] ?? ''}`
      const on = `${runtime === 'node' ? 'Node' : 'Bun'} ${versions[runtime] ?? ''}`
      const apart = engine === 'defaults' ? { apart: true } : {}
      const name = `${library}, ${on}: ${what}`
      return { id, info: { id, side, name, group: `calls-${runtime}`, ...apart }, runtime, engine }
    }),
  )

const run = promisify(execFile)
const program = fileURLToPath(new URL('../calls/main.ts', import.meta.url))

export const measureCalls = async (bench: Bench, callers: readonly Caller[]): Promise<void> => {
  const seconds = String(bench.options.seconds)
  await interleaved(bench, 'calls', callers, async ({ runtime, engine }) => {
    const { stdout } = await run(programs[runtime], [program, engine, seconds])
    // Written by calls/main.ts.
    const round = JSON.parse(stdout) as CallRound
    return {
      values: {
        'calls.rate': round.calls / round.seconds,
        'calls.cpu': (round.cpu / round.calls) * 1e6,
      },
      raw: { ...round },
    }
  })
}

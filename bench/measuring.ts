import type { Contender } from './contenders/index.ts'
import type { Driver } from './driver/process.ts'
import type { Round } from './driver/load.ts'
import type { Traffic } from './driver/requests.ts'
import { cpuOf, cpuOfMachine } from './machine/processes.ts'
import type { Options } from './options.ts'
import type { MeasureId, Sample, Section } from './samples.ts'

/** What the sections of a run share. */
export interface Bench {
  readonly options: Options
  readonly driver: Driver
  readonly samples: Sample[]
  readonly rounds: Record<string, unknown>[]
  readonly say: (line: string) => void
  /** Called when the run is over, however it ends; the last first. */
  readonly atEnd: (stop: () => unknown) => void
}

/** CPU seconds, and the time in which they were used. */
export interface Usage {
  readonly server: number
  readonly postgres: number
  readonly machine: number
  readonly seconds: number
}

const usageNow = ({ pid, store }: Contender): Usage => ({
  server: cpuOf(pid),
  postgres: store === undefined ? 0 : cpuOf(store.server.pid),
  machine: cpuOfMachine(),
  seconds: performance.now() / 1_000,
})

/** Begins to watch a contender; what it answers tells what was used since. */
export const watch = (contender: Contender): (() => Usage) => {
  const before = usageNow(contender)
  return () => {
    const now = usageNow(contender)
    return {
      server: now.server - before.server,
      postgres: now.postgres - before.postgres,
      machine: now.machine - before.machine,
      seconds: now.seconds - before.seconds,
    }
  }
}

/** Runs one round of load; refuses figures of rounds in which something failed. */
export const load = async (
  { driver, options }: Bench,
  { address, operatorKey }: Contender,
  traffic: Traffic,
  limits: { seconds?: number; requests?: number; connections?: number } = {},
): Promise<Round> => {
  const { seconds = options.seconds, connections = options.connections } = limits
  const round = await driver.run({
    target: { ...address, operatorKey },
    load: { connections, seconds, requests: limits.requests ?? Number.MAX_SAFE_INTEGER },
    traffic,
  })
  const failures = JSON.stringify(round.failed)
  if (failures !== '{}') throw new Error(`${traffic.kind}: ${failures} ${round.complaint ?? ''}`)
  return round
}

/**
 * Rounds of all contenders, interleaved and each second time in the opposite order, so that a machine that gets slower or
 * busier does so for all. Round 0 warms up and leaves no samples.
 */
export const interleaved = async <C extends { readonly id: string }>(
  { options, samples, rounds, say }: Bench,
  section: Section,
  contenders: readonly C[],
  round: (contender: C, n: number) => Promise<Outcome>,
): Promise<void> => {
  for (let n = 0; n <= options.rounds; n++) {
    const order = n % 2 === 0 ? contenders : contenders.toReversed()
    for (const contender of order) {
      const { values, raw } = await round(contender, n)
      rounds.push({ section, contender: contender.id, round: n, ...raw })
      const entries = Object.entries(values) as [MeasureId, number][]
      if (n > 0)
        for (const [measure, value] of entries)
          samples.push({ measure, contender: contender.id, round: n, value })
      const told = entries
        .map(([measure, value]) => `${measure} ${+value.toPrecision(4)}`)
        .join(', ')
      say(`${section} ${n === 0 ? 'warm-up' : `${n}/${options.rounds}`}  ${contender.id}: ${told}`)
    }
  }
}

export interface Outcome {
  readonly values: Partial<Record<MeasureId, number>>
  /** Kept in the raw results. */
  readonly raw: Readonly<Record<string, unknown>>
}

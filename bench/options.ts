import { parseArgs } from 'node:util'
import { sections, type Section } from './samples.ts'

export interface Options {
  readonly only: readonly Section[]
  readonly seconds: number
  readonly rounds: number
  readonly connections: number
  /** Ids; empty for all. */
  readonly contenders: readonly string[]
  /** Makes this run the one that the repository shows. */
  readonly keep: boolean
  /** A folder for the report of this run. */
  readonly report: string | undefined
  /** Raw samples to report on, instead of a run. */
  readonly from: string | undefined
}

const flags = {
  only: { type: 'string' },
  seconds: { type: 'string' },
  rounds: { type: 'string' },
  connections: { type: 'string' },
  contenders: { type: 'string' },
  keep: { type: 'boolean' },
  report: { type: 'string' },
  from: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

export const helpText = `Measures the shop beside what you would pick instead: in one run, in interleaved rounds, on this machine.

Usage: npm run bench -- [options]

  --only orders,reads    sections: ${sections.join(', ')}; default all
  --seconds 3            of load in each round
  --rounds 5             after one that warms up
  --connections 64       of the driver, each with one request under way
  --contenders a,b       of shop-bun, shop-node, shop-kitten, shop-cheetah, shop-tiger, fastify-node, hono-bun; for calls,
                         calls-ENGINE-RUNTIME and links-ENGINE-RUNTIME; for replicas, cheetah-1 to tiger-3; default all
  --keep                 makes this run the one in bench/RESULTS.md
  --report FOLDER        writes the same report to a folder instead
  --from FILE            reports on a run's raw samples again, instead of measuring
  -h, --help             this text

All of it takes half an hour. It needs Linux and an installed PostgreSQL server (apt-get install postgresql): each contender
gets one of its own, with fsync. Calls through NATS need its server (apt-get install nats-server) and are left out without it.
Raw samples go to bench/results/.
`

export class WrongOption extends Error {}

const number = (
  name: string,
  given: string | undefined,
  fallback: number,
  least: number,
  most: number,
) => {
  if (given === undefined) return fallback
  const value = Number(given)
  if (value >= least && value <= most) return value
  throw new WrongOption(`--${name} is a number from ${least} to ${most}, not ${given}`)
}

const list = (name: string, given: string | undefined, known: readonly string[]) => {
  const words = given?.split(',').map((word) => word.trim()) ?? []
  const unknown = words.filter((word) => !known.includes(word))
  if (unknown.length === 0) return words
  throw new WrongOption(`--${name} knows ${known.join(', ')}, not ${unknown.join(', ')}`)
}

/** Undefined when help was asked for. */
export const parseOptions = (
  argv: readonly string[],
  contenders: readonly string[],
): Options | undefined => {
  const parsed = () => {
    try {
      return parseArgs({ args: [...argv], options: flags, strict: true }).values
    } catch (error) {
      throw new WrongOption(error instanceof Error ? error.message : String(error))
    }
  }
  const given = parsed()
  if (given.help === true) return undefined
  const wanted = list('only', given.only, sections)
  return {
    only: sections.filter((section) => wanted.length === 0 || wanted.includes(section)),
    seconds: number('seconds', given.seconds, 3, 0.2, 600),
    rounds: Math.round(number('rounds', given.rounds, 5, 1, 100)),
    connections: Math.round(number('connections', given.connections, 64, 1, 1_000)),
    contenders: list('contenders', given.contenders, contenders),
    keep: given.keep === true,
    report: given.report,
    from: given.from,
  }
}

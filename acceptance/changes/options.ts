import { parseArgs } from 'node:util'
import { deeds, unnoticed, type DeedName } from './deeds.ts'

export const help = `
  Changes or harms a fleet while customers order, and checks that nothing is lost.

  npm run changes -- --do WHAT [options]

    --do WHAT        one of these, or several with commas between:
                     split-merge   each service out and back (in tiger: back and out)
                     roll          every process replaced
                     release       three releases that rename a column, each rolled out
                     scale         one process more of each role, and one fewer
                     kill          SIGKILL of each process, and of pairs
                     stop          SIGSTOP of each process for 10 s, and of pairs
                     hang          each service stopped for 30 s in all its processes
                     postgres      the database server killed, and started 2 s later
                     postgres-stop the database server stopped for 10 s
                     none          nothing, to see what the machine itself does
    --setup NAME     cheetah (default) or tiger
    --cycles N       how often all of it is done (default 1)
    --only NAMES     done to these roles or services alone, with commas between
    --pairs N        pairs of processes that are killed or stopped (default 5)
    --rate N         requests a second (default 200); 80% is as much of what the fleet can do (default with hang)
    --before N       seconds of traffic before the first change (default 15)
    --rest N         seconds between two (default 3; after harm, from which service must be back within 5, 8; hang: 15)
    --any-latency    nothing is said of how slow replies were: the machine does other things
    --svg FILE       a picture of it
    --csv FILE       every request: kind, when it was due (ms), how long it took, status
    --log FILE       what the fleet said
    --seed N

  It starts a PostgreSQL server of its own. Exit code: 0 all checks agree, 1 they do not.
`

export interface Options {
  readonly kinds: readonly DeedName[]
  readonly setup: string
  readonly cycles: number
  readonly only: readonly string[] | undefined
  readonly pairs: number
  /** Requests a second, or a share of what the fleet can do. */
  readonly rate: { readonly perSecond: number } | { readonly share: number }
  readonly beforeMs: number
  readonly restMs: (kind: DeedName) => number
  readonly latencies: boolean
  readonly svg: string | undefined
  readonly csv: string | undefined
  readonly log: string | undefined
  readonly seed: number
}

const isDeed = (name: string): name is DeedName => Object.hasOwn(deeds, name)

const usualRestMs = (kind: DeedName): number => {
  if (unnoticed.includes(kind)) return 3_000
  return kind === 'hang' ? 15_000 : 8_000
}

/** Undefined when help is asked for. Throws a sentence for options that it cannot take. */
export const readOptions = (args: readonly string[]): Options | undefined => {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ do: text, setup: text, cycles: text, only: text, pairs: text, rate: text, before: text },
      ...{ rest: text, svg: text, csv: text, log: text, seed: text },
      'any-latency': flag,
      help: { ...flag, short: 'h' },
    },
  })
  if (values.help) return undefined
  const number = (
    name: 'cycles' | 'pairs' | 'before' | 'rest' | 'seed' | 'rate',
    usual: number,
    given = values[name],
  ): number => {
    const value = given === undefined ? usual : Number(given)
    if (given?.trim() === '' || !Number.isFinite(value) || value < 0)
      throw new Error(`--${name} is a number from 0, not '${given}'`)
    return value
  }
  const named = (values.do ?? '').split(',')
  const kinds = named.filter(isDeed)
  if (kinds.length < named.length)
    throw new Error(
      `--do is one or more of ${Object.keys(deeds).join(', ')}, not '${values.do ?? ''}'; see --help`,
    )
  const rate = values.rate ?? (kinds.includes('hang') ? '80%' : '200')
  const rest = values.rest
  return {
    kinds,
    setup: values.setup ?? 'cheetah',
    cycles: number('cycles', 1),
    only: values.only?.split(','),
    pairs: number('pairs', 5),
    rate: rate.endsWith('%')
      ? { share: number('rate', 0, rate.slice(0, -1)) / 100 }
      : { perSecond: number('rate', 0, rate) },
    beforeMs: number('before', 15) * 1_000,
    restMs: (kind) => (rest === undefined ? usualRestMs(kind) : number('rest', 0) * 1_000),
    latencies: !values['any-latency'],
    svg: values.svg,
    csv: values.csv,
    log: values.log,
    seed: number('seed', 1),
  }
}

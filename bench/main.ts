// npm run bench: side by side with what a user would pick instead.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { contendersOf, type Contender } from './contenders/index.ts'
import { startDriver } from './driver/process.ts'
import { commit, installed, machine, notInstalled, programs, versions } from './machine/about.ts'
import type { Bench } from './measuring.ts'
import { helpText, parseOptions, WrongOption, type Options } from './options.ts'
import { prepare } from './prepare.ts'
import { markdown } from './report/markdown.ts'
import { plot } from './report/plot.ts'
import { table } from './report/table.ts'
import type { ContenderInfo, Results } from './samples.ts'
import { measureAuth } from './sections/auth.ts'
import { callersOf, measureCalls } from './sections/calls.ts'
import { linkedOf, measureLinks } from './sections/links.ts'
import { measureOrders } from './sections/orders.ts'
import { measureReads } from './sections/reads.ts'
import { measureRest } from './sections/rest.ts'
import { comparisons } from './statistics.ts'

const here = (path: string) => new URL(path, import.meta.url)
const say = (line: string) => void process.stderr.write(`  ${line}\n`)

const overHttp = {
  rest: measureRest,
  reads: measureReads,
  auth: measureAuth,
  orders: measureOrders,
} as const

/** Measures what was asked for; whatever was started is ended, also when a round fails. */
const measure = async (options: Options): Promise<Results> => {
  if (!installed) throw new WrongOption(notInstalled)
  const about = versions()
  const on = machine()
  const stops: (() => unknown)[] = []
  const end = async () => {
    for (const stop of stops.splice(0).reverse()) await stop()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void end().finally(() => process.exit(130)))
  try {
    const driver = startDriver(programs.node)
    stops.push(() => driver.stop())
    const bench: Bench = { options, driver, samples: [], rounds: [], say }
    const measured: ContenderInfo[] = []
    const wanted = ({ id }: { readonly id: string }) =>
      options.contenders.length === 0 || options.contenders.includes(id)

    if (options.only.includes('calls')) {
      const callers = callersOf(about).filter(wanted)
      measured.push(...callers.map(({ info }) => info))
      await measureCalls(bench, callers)
    }
    if (options.only.includes('links')) {
      const linked = linkedOf(about).filter(wanted)
      measured.push(...linked.map(({ info }) => info))
      await measureLinks(bench, linked)
    }
    const running: Contender[] = []
    const others = options.only.filter((section) => section !== 'calls' && section !== 'links')
    if (others.length > 0)
      for (const { info, start } of contendersOf(about).filter((one) => wanted(one.info))) {
        say(`starting ${info.id}`)
        const contender = await start(info)
        stops.push(() => contender.stop())
        await prepare(contender)
        running.push(contender)
        measured.push(info)
      }
    for (const section of others) await overHttp[section](bench, running)

    const store = running.find((contender) => contender.store !== undefined)?.store?.server
    return {
      at: new Date().toISOString(),
      commit: commit(),
      machine: on,
      versions: about,
      postgres: store === undefined ? {} : { version: store.version, ...store.settings },
      options: {
        seconds: options.seconds,
        rounds: options.rounds,
        connections: options.connections,
      },
      contenders: measured,
      samples: bench.samples,
      rounds: bench.rounds,
    }
  } finally {
    await end()
  }
}

const save = (results: Results): string => {
  const name = `results/${results.at.slice(0, 19).replaceAll(':', '')}.json`
  mkdirSync(here('results'), { recursive: true })
  writeFileSync(here(name), `${JSON.stringify(results, undefined, 1)}\n`)
  return `bench/${name}`
}

/** Writes what the repository shows. */
const keep = (results: Results): void => {
  writeFileSync(here('results/kept.json'), `${JSON.stringify(results)}\n`)
  writeFileSync(here('RESULTS.md'), markdown(results))
  writeFileSync(here('RESULTS.svg'), plot(results))
}

const main = async (): Promise<void> => {
  const known = [...contendersOf({}).map(({ info }) => info), ...callersOf({}), ...linkedOf({})]
  const options = parseOptions(
    process.argv.slice(2),
    known.map(({ id }) => id),
  )
  if (options === undefined) return void process.stdout.write(helpText)
  // Our own file, written by `save`.
  const results =
    options.from === undefined
      ? await measure(options)
      : (JSON.parse(readFileSync(options.from, 'utf8')) as Results)
  process.stdout.write(`\n${table(comparisons(results.contenders, results.samples))}\n\n`)
  if (options.from === undefined) process.stdout.write(`Raw samples: ${save(results)}\n`)
  if (!options.keep) return
  keep(results)
  process.stdout.write('Kept: bench/RESULTS.md, bench/RESULTS.svg, bench/results/kept.json\n')
}

try {
  await main()
  process.exit(0)
} catch (error) {
  const wrong = error instanceof WrongOption
  process.stderr.write(
    `\n${wrong ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  )
  process.exit(wrong ? 2 : 1)
}

// npm run bench: side by side with what a user would pick instead.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { contendersOf, type Contender } from './contenders/index.ts'
import { startDriver } from './driver/process.ts'
import { commit, installed, machine, notInstalled, programs, versions } from './machine/about.ts'
import type { Bench } from './measuring.ts'
import { helpText, parseOptions, WrongOption, type Options } from './options.ts'
import { prepare } from './prepare.ts'
import { markdown } from './report/markdown.ts'
import { plot } from './report/plot.ts'
import { replicasPlot } from './report/replicas-plot.ts'
import { table } from './report/table.ts'
import type { ContenderInfo, Results, Section } from './samples.ts'
import { measureAuth } from './sections/auth.ts'
import { callersOf, measureCalls } from './sections/calls.ts'
import { linkedOf, measureLinks } from './sections/links.ts'
import { measureOrders } from './sections/orders.ts'
import { measureReads } from './sections/reads.ts'
import { measureReplicas, scaledOf } from './sections/replicas.ts'
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
const isOverHttp = (section: Section): section is keyof typeof overHttp => section in overHttp

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
    const atEnd = (stop: () => unknown) => void stops.push(stop)
    const bench: Bench = { options, driver, samples: [], rounds: [], say, atEnd }
    const measured: ContenderInfo[] = []
    const wanted = ({ id }: { readonly id: string }) =>
      options.contenders.length === 0 || options.contenders.includes(id)

    if (options.only.includes('calls')) {
      const callers = callersOf(about).filter(wanted)
      measured.push(...callers.map(({ info }) => info))
      await measureCalls(bench, callers)
    }
    if (options.only.includes('links')) {
      const linked = await measureLinks(bench, linkedOf(about).filter(wanted))
      measured.push(...linked.map(({ info }) => info))
    }
    // Before the others are started: their fleets use processor time at rest.
    if (options.only.includes('replicas')) {
      const points = scaledOf(about).filter(wanted)
      measured.push(...points.map(({ info }) => info))
      await measureReplicas(bench, points)
    }
    const running: Contender[] = []
    const others = options.only.filter(isOverHttp)
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

/** Writes what a person reads to a folder. */
const report = (results: Results, folder: URL): void => {
  mkdirSync(folder, { recursive: true })
  const write = (name: string, text: string) => writeFileSync(new URL(name, folder), text)
  write('RESULTS.md', markdown(results))
  write('RESULTS.svg', plot(results))
  const replicas = replicasPlot(results)
  if (replicas !== undefined) write('RESULTS-replicas.svg', replicas)
}

const main = async (): Promise<void> => {
  const shops = contendersOf({}).map(({ info }) => info)
  const known = [...shops, ...callersOf({}), ...linkedOf({}), ...scaledOf({})]
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
  if (options.report !== undefined) {
    const folder = pathToFileURL(`${resolve(options.report)}/`)
    report(results, folder)
    process.stdout.write(`Report: ${fileURLToPath(folder)}\n`)
  }
  if (!options.keep) return
  writeFileSync(here('results/kept.json'), `${JSON.stringify(results)}\n`)
  report(results, here('.'))
  process.stdout.write('Kept: bench/RESULTS.md with its plots, bench/results/kept.json\n')
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

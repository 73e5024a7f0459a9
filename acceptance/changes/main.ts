import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startOwnPostgres } from 'serval/testing'
import { randomFrom } from '../fuzz/random.ts'
import { migrationsOf } from '../postgres-databases.ts'
import { killAll, startShop } from '../shop-process.ts'
import { openMailSink } from '../soak/mail-sink.ts'
import { checkBooks, type Finding } from './books.ts'
import { deeds, type Deed, type DeedName } from './deeds.ts'
import { findingsOf } from './findings.ts'
import { fleetIn } from './fleet.ts'
import { kindsOf } from './kinds.ts'
import { measure } from './latency.ts'
import { openLedger } from './ledger.ts'
import { capacityOf, startLoad, type Sample } from './load.ts'
import { help, readOptions, type Options } from './options.ts'
import { plot } from './plot.ts'
import { copiedShop } from './releases.ts'

/*
 * Whether a running fleet changes, and loses processes, without losing anything else: traffic at a fixed rate, with orders, while
 * something is done to the fleet; then every order that was ever sent is compared with what the shop knows.
 */

const runtime = process.versions['bun'] === undefined ? 'Node' : 'Bun'
/** Sign-ins are part of the traffic: access tokens live ten minutes. */
const signInEveryMs = 5 * 60_000
/** How long somebody waits on every connection to find out what the fleet can do. */
const capacityMs = 8_000

const shownFailures = (samples: readonly Sample[]): void => {
  const failed = samples.filter((one) => one.failed)
  const kinds = Map.groupBy(failed, ({ kind, status, said }) => {
    const code = /"code":"([^"]+)"/.exec(said ?? '')?.[1]
    const detail = /"detail":"([^"]+)"/.exec(said ?? '')?.[1]
    return `${kind} ${status} ${code === undefined ? said : [code, detail].filter(Boolean).join(': ')}`
  })
  for (const [what, all] of [...kinds].slice(0, 20)) console.log(`    ${all.length} × ${what}`)
}

const csvOf = (samples: readonly Sample[]): string =>
  ['kind,at,tookMs,status']
    .concat(
      samples.map(
        ({ kind, at, tookMs, status }) =>
          `${kind},${(performance.timeOrigin + at).toFixed(0)},${tookMs.toFixed(1)},${status}`,
      ),
    )
    .join('\n')

const shown = ({ ok, what, expected, found }: Finding): string =>
  `  ${ok ? '✓' : '✗'} ${what.padEnd(56)} ${String(found).padStart(14)}${ok ? '' : `   expected ${expected}`}`

const run = async (options: Options): Promise<boolean> => {
  const server = await startOwnPostgres()
  if ('missing' in server) throw new Error(`a fleet needs PostgreSQL: ${server.missing}`)
  const mails = new Map<string, number>()
  const sink = await openMailSink((mail) => {
    const id = /^Message-ID: *(.*)$/im.exec(mail)?.[1] ?? ''
    mails.set(id, (mails.get(id) ?? 0) + 1)
  })
  const data = mkdtempSync(join(tmpdir(), 'serval-changes-'))
  const releases = copiedShop()
  const random = randomFrom(options.seed)
  let stopped = false
  process.on('SIGINT', () => (stopped = true))
  try {
    const shop = await startShop({
      data,
      folder: releases.folder,
      main: 'toolkit/src/cli/main.ts',
      command: 'up',
      setup: options.setup,
      env: { SERVAL_DATABASE_URL: server.url, SERVAL_SMTP_URL: sink.url },
    })
    const fleet = fleetIn(data)
    await fleet.whole((await fleet.processes()).length)
    const ledger = await openLedger(shop)
    const rateOf = async () => {
      if ('perSecond' in options.rate) return options.rate.perSecond
      const can = await capacityOf(ledger, random, capacityMs)
      console.log(`\n  The fleet answers ${can.toFixed(0)} requests a second.`)
      return Math.floor(can * options.rate.share)
    }
    const rate = await rateOf()
    const title = `${options.setup}, ${runtime}: ${options.kinds.join(', ')}, ${rate} requests a second`
    console.log(`\n  ${title}\n`)
    const begun = performance.now()
    const load = startLoad(ledger, random, rate)
    await pause(options.beforeMs)
    const done: Deed[] = []
    let signedIn = performance.now()
    const doing = (kind: DeedName) => ({
      fleet,
      random,
      postgres: server.control,
      only: options.only,
      publish: releases.publish,
      migrations: (service: string) => migrationsOf(server.url, `serval_${service}`),
      cycles: options.cycles,
      pairs: options.pairs,
      once: async (name: string, work: () => Promise<void>, without: readonly string[] = []) => {
        if (stopped) return
        const restMs = options.restMs(kind)
        const [from, to] = [performance.now(), Number.POSITIVE_INFINITY]
        const deed: Deed = { kind, name, without, from, to, restMs }
        const sampled = load.samples.length
        done.push(deed)
        await work()
        deed.to = performance.now()
        await pause(restMs)
        // Of all of a long run it would take so long that requests are sent late.
        const [one] = measure(load.samples.slice(sampled), begun, [deed]).deeds
        if (one !== undefined)
          console.log(
            `  ${name.padEnd(34)} ${(one.tookMs / 1_000).toFixed(1).padStart(6)} s  failed ${String(one.failed).padStart(5)}  worst p99 ${one.p99.toFixed(0).padStart(6)} ms  back after ${(one.backMs / 1_000).toFixed(1)} s`,
          )
        if (performance.now() - signedIn < signInEveryMs) return
        signedIn = performance.now()
        await ledger.signInAgain()
      },
    })
    try {
      for (const kind of options.kinds) await deeds[kind](doing(kind))
    } finally {
      await load.stop()
    }
    const { samples } = load
    const measured = measure(samples, begun, done)
    if (options.svg !== undefined) writeFileSync(options.svg, plot(title, measured, begun))
    if (options.csv !== undefined) writeFileSync(options.csv, csvOf(samples))
    const noisy = measured.seconds.filter(({ p99 }) => p99 > 2 * measured.before).length
    console.log(
      `\n  ${samples.length} requests in ${measured.seconds.length} s; p99 before ${measured.before.toFixed(0)} ms; ${noisy} seconds with more than twice that`,
    )
    shownFailures(samples)
    console.log('\n  checking the books')
    const findings = [
      ...options.kinds.flatMap((kind) =>
        findingsOf(
          kind,
          measured,
          samples,
          kindsOf(ledger, random),
          options.latencies,
          `${shop.stdout}\n${shop.stderr}`,
        ),
      ),
      ...(await checkBooks(ledger, mails)),
    ]
    console.log(`\n${findings.map(shown).join('\n')}`)
    const stopping = performance.now()
    const ended = await shop.stop()
    console.log(
      `\n  the fleet ended with ${ended.code} in ${((performance.now() - stopping) / 1_000).toFixed(1)} s`,
    )
    if (options.log !== undefined) writeFileSync(options.log, `${ended.stdout}\n${ended.stderr}`)
    const logged = Map.groupBy(
      ended.stderr.split('\n').filter((line) => line.includes('{')),
      (line) => /"message":"([^"]*)"/.exec(line)?.[1] ?? line.slice(0, 100),
    )
    for (const [message, lines] of logged) console.log(`    logged ${lines.length} × ${message}`)
    const wrong = findings.filter(({ ok }) => !ok).length
    console.log(
      wrong === 0
        ? `\n  All ${findings.length} checks agree.\n`
        : `\n  ${wrong} of ${findings.length} checks do not agree.\n`,
    )
    return wrong === 0
  } finally {
    await killAll()
    sink.close()
    await server.stop()
    releases.remove()
    rmSync(data, { recursive: true, force: true })
  }
}

const optionsOrWhy = () => {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const options = optionsOrWhy()
if (options === undefined) console.log(help)
else if (typeof options === 'string') {
  console.error(`  ${options}`)
  process.exitCode = 2
} else process.exitCode = (await run(options)) ? 0 : 1

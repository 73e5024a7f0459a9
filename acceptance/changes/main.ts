import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startOwnPostgres } from 'serval/testing'
import { randomFrom } from '../fuzz/random.ts'
import { migrationsOf } from '../postgres-databases.ts'
import { killAll, startShop } from '../shop-process.ts'
import { openMailSink } from '../soak/mail-sink.ts'
import { checkBooks } from './books.ts'
import { deeds, unnoticed, type Deed, type DeedName } from './deeds.ts'
import { findingsOf } from './findings.ts'
import { fleetIn } from './fleet.ts'
import { kindsOf } from './kinds.ts'
import { measure } from './latency.ts'
import { openLedger } from './ledger.ts'
import { capacityOf, startLoad, type Sample } from './load.ts'
import { plot } from './plot.ts'
import { copiedShop } from './releases.ts'

/*
 * Whether a running fleet changes, and loses processes, without losing anything else: traffic at a fixed rate, with orders, while
 * something is done to the fleet; then every order that was ever sent is compared with what the shop knows.
 */

const help = `
  Changes or harms a fleet while customers order, and checks that nothing is lost.

  npm run changes -- --do WHAT [options]

    --do WHAT        split-merge   each service out and back (in tiger: back and out)
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
    --rate N         requests a second (default 200); with a % as much of what the fleet can do (hang: 80%)
    --before N       seconds of traffic before the first change (default 15)
    --rest N         seconds between two (default 3; after harm, from which service must be back within 5, 8; hang: 15)
    --svg FILE       a picture of it
    --csv FILE       every request: kind, when it was due (ms), how long it took, status
    --log FILE       what the fleet said
    --seed N

  It starts a PostgreSQL server of its own. Exit code: 0 all checks agree, 1 they do not.
`

const { values } = parseArgs({
  options: {
    do: { type: 'string' },
    setup: { type: 'string', default: 'cheetah' },
    cycles: { type: 'string', default: '1' },
    only: { type: 'string' },
    pairs: { type: 'string', default: '5' },
    rate: { type: 'string' },
    before: { type: 'string', default: '15' },
    rest: { type: 'string' },
    svg: { type: 'string' },
    csv: { type: 'string' },
    log: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

const runtime = process.versions['bun'] === undefined ? 'Node' : 'Bun'
/** Sign-ins are part of the traffic: access tokens live ten minutes. */
const signInEveryMs = 5 * 60_000

const isDeed = (name: string | undefined): name is DeedName =>
  name !== undefined && Object.hasOwn(deeds, name)

const restSeconds = (name: DeedName): string => {
  if (unnoticed.includes(name)) return '3'
  return name === 'hang' ? '15' : '8'
}

const numberOf = (option: string, text: string): number => {
  const value = Number(text)
  if (text !== '' && Number.isFinite(value) && value >= 0) return value
  throw new Error(`--${option} is a number from 0, not ${text}`)
}

/** How long somebody waits on every connection to find out what the fleet can do. */
const capacityMs = 8_000

/** Requests a second. */
const rateOf = async (name: DeedName, capacity: () => Promise<number>): Promise<number> => {
  const text = values.rate ?? (name === 'hang' ? '80%' : '200')
  if (!text.endsWith('%')) return numberOf('rate', text)
  const can = await capacity()
  const rate = Math.floor((can * numberOf('rate', text.slice(0, -1))) / 100)
  console.log(`\n  The fleet answers ${can.toFixed(0)} requests a second; it is sent ${rate}.`)
  return rate
}

const shownFailures = (samples: readonly Sample[]): void => {
  const failed = samples.filter((one) => one.failed)
  const kinds = Map.groupBy(failed, ({ kind, status, said }) => {
    const code = /"code":"([^"]+)"/.exec(said ?? '')?.[1]
    const detail = /"detail":"([^"]+)"/.exec(said ?? '')?.[1]
    return `${kind} ${status} ${code === undefined ? said : [code, detail].filter(Boolean).join(': ')}`
  })
  for (const [what, all] of [...kinds].slice(0, 20)) console.log(`    ${all.length} × ${what}`)
}

const run = async (name: DeedName): Promise<boolean> => {
  const server = await startOwnPostgres()
  if ('missing' in server) throw new Error(`a fleet needs PostgreSQL: ${server.missing}`)
  const mails = new Map<string, number>()
  const sink = await openMailSink((mail) => {
    const id = /^Message-ID: *(.*)$/im.exec(mail)?.[1] ?? ''
    mails.set(id, (mails.get(id) ?? 0) + 1)
  })
  const data = mkdtempSync(join(tmpdir(), 'serval-changes-'))
  const releases = copiedShop()
  const random = randomFrom(numberOf('seed', values.seed))
  let stopped = false
  process.on('SIGINT', () => (stopped = true))
  try {
    const shop = await startShop({
      data,
      folder: releases.folder,
      main: 'toolkit/src/cli/main.ts',
      command: 'up',
      setup: values.setup,
      env: { SERVAL_DATABASE_URL: server.url, SERVAL_SMTP_URL: sink.url },
    })
    const fleet = fleetIn(data)
    await fleet.whole((await fleet.processes()).length)
    const ledger = await openLedger(shop)
    const restMs = numberOf('rest', values.rest ?? restSeconds(name)) * 1_000
    const rate = await rateOf(name, () => capacityOf(ledger, random, capacityMs))
    const title = `${values.setup}, ${runtime}: ${name}, ${rate} requests a second`
    console.log(`\n  ${title}\n`)
    const begun = performance.now()
    const load = startLoad(ledger, random, rate)
    await pause(numberOf('before', values.before) * 1_000)
    const done: Deed[] = []
    let signedIn = performance.now()
    const once = async (
      what: string,
      work: () => Promise<void>,
      without: readonly string[] = [],
    ) => {
      if (stopped) return
      const deed = { name: what, without, from: performance.now(), to: Number.POSITIVE_INFINITY }
      done.push(deed)
      await work()
      deed.to = performance.now()
      await pause(restMs)
      const [one] = measure(load.samples, begun, [deed], restMs, 'to').deeds
      if (one !== undefined)
        console.log(
          `  ${what.padEnd(34)} ${(one.tookMs / 1_000).toFixed(1).padStart(6)} s  failed ${String(one.failed).padStart(5)}  worst p99 ${one.p99.toFixed(0).padStart(6)} ms  back after ${(one.backMs / 1_000).toFixed(1)} s`,
        )
      if (performance.now() - signedIn < signInEveryMs) return
      signedIn = performance.now()
      await ledger.signInAgain()
    }
    const doing = {
      fleet,
      random,
      once,
      postgres: server.control,
      only: values.only?.split(','),
      publish: releases.publish,
      migrations: (service: string) => migrationsOf(server.url, `serval_${service}`),
      cycles: numberOf('cycles', values.cycles),
      pairs: numberOf('pairs', values.pairs),
    }
    try {
      await deeds[name](doing)
    } finally {
      await load.stop()
    }
    const { samples } = load
    // A process that is killed is back when it runs again; one that is stopped, or the server, when it goes on.
    const from = name === 'kill' ? 'from' : 'to'
    const measured = measure(samples, begun, done, restMs, from)
    if (values.svg !== undefined) writeFileSync(values.svg, plot(title, measured, begun))
    if (values.csv !== undefined)
      writeFileSync(
        values.csv,
        ['kind,at,tookMs,status']
          .concat(
            samples.map(
              ({ kind, at, tookMs, status }) =>
                `${kind},${(performance.timeOrigin + at).toFixed(0)},${tookMs.toFixed(1)},${status}`,
            ),
          )
          .join('\n'),
      )
    const noisy = measured.seconds.filter(({ p99 }) => p99 > 2 * measured.before).length
    console.log(
      `\n  ${samples.length} requests in ${measured.seconds.length} s; p99 before ${measured.before.toFixed(0)} ms; ${noisy} seconds with more than twice that`,
    )
    shownFailures(samples)
    console.log('\n  checking the books')
    const findings = [
      ...findingsOf(name, measured, samples, kindsOf(ledger, random)),
      ...(await checkBooks(ledger, mails)),
    ]
    console.log('')
    for (const { ok, what, expected, found } of findings)
      console.log(
        `  ${ok ? '✓' : '✗'} ${what.padEnd(56)} ${String(found).padStart(14)}${ok ? '' : `   expected ${expected}`}`,
      )
    const stopping = performance.now()
    const ended = await shop.stop()
    console.log(
      `\n  the fleet ended with ${ended.code} in ${((performance.now() - stopping) / 1_000).toFixed(1)} s`,
    )
    if (values.log !== undefined) writeFileSync(values.log, `${ended.stdout}\n${ended.stderr}`)
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

if (values.help) console.log(help)
else if (!isDeed(values.do)) {
  console.error(`  --do is one of ${Object.keys(deeds).join(', ')}; see --help`)
  process.exitCode = 2
} else process.exitCode = (await run(values.do)) ? 0 : 1

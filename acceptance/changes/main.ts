import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startOwnPostgres } from 'serval/testing'
import { randomFrom } from '../fuzz/random.ts'
import { killAll, startShop } from '../shop-process.ts'
import { openMailSink } from '../soak/mail-sink.ts'
import { checkBooks, type Finding } from './books.ts'
import { deeds, unnoticed, type Deed, type DeedName } from './deeds.ts'
import { fleetIn } from './fleet.ts'
import { measure, type Measured } from './latency.ts'
import { openLedger } from './ledger.ts'
import { startLoad, type Sample } from './load.ts'
import { plot } from './plot.ts'

/*
 * Whether a running fleet changes, and loses processes, without losing anything else: traffic at a fixed rate, with orders, while
 * something is done to the fleet; then every order that was ever sent is compared with what the shop knows.
 */

const help = `
  Changes or harms a fleet while customers order, and checks that nothing is lost.

  npm run changes -- --do WHAT [options]

    --do WHAT        split-merge   each service out and back (in tiger: back and out)
                     roll          every process replaced
                     scale         one process more of each role, and one fewer
                     kill          SIGKILL of each process, and of pairs
                     stop          SIGSTOP of each process for 10 s, and of pairs
                     postgres      the database server killed, and started 2 s later
                     none          nothing, to see what the machine itself does
    --setup NAME     cheetah (default) or tiger
    --cycles N       how often all of it is done (default 1)
    --pairs N        pairs of processes that are killed or stopped (default 5)
    --rate N         requests a second (default 200)
    --before N       seconds of traffic before the first change (default 15)
    --rest N         seconds between two (default 3; 8 after harm, from which service must be back within 5)
    --svg FILE       a picture of it
    --log FILE       what the fleet said
    --seed N

  It starts a PostgreSQL server of its own. Exit code: 0 all checks agree, 1 they do not.
`

const { values } = parseArgs({
  options: {
    do: { type: 'string' },
    setup: { type: 'string', default: 'cheetah' },
    cycles: { type: 'string', default: '1' },
    pairs: { type: 'string', default: '5' },
    rate: { type: 'string', default: '200' },
    before: { type: 'string', default: '15' },
    rest: { type: 'string' },
    svg: { type: 'string' },
    log: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

const runtime = process.versions['bun'] === undefined ? 'Node' : 'Bun'
const backWithinMs = 5_000
/** Sign-ins are part of the traffic: access tokens live ten minutes. */
const signInEveryMs = 5 * 60_000

const isDeed = (name: string | undefined): name is DeedName =>
  name !== undefined && Object.hasOwn(deeds, name)

const number = (name: 'cycles' | 'pairs' | 'rate' | 'before' | 'rest' | 'seed'): number => {
  const value = Number(values[name] ?? (unnoticed.some((one) => one === values.do) ? 3 : 8))
  if (!Number.isFinite(value) || value < 0)
    throw new Error(`--${name} is a number, not ${values[name]}`)
  return value
}

/** What nobody may notice must not be noticed; what is killed must be back. */
const findingsOf = (name: DeedName, { deeds: done }: Measured, samples: readonly Sample[]) => {
  const failed = samples.filter((one) => one.failed).length
  const slow = Math.max(0, ...done.map((one) => one.slow))
  const back = Math.max(0, ...done.map(({ backMs }) => backMs))
  const findings: Finding[] = unnoticed.includes(name)
    ? [
        { what: 'requests that failed', expected: 0, found: failed, ok: failed === 0 },
        {
          what: 'seconds at a stretch with more than twice the p99',
          expected: 'at most 1',
          found: slow,
          ok: slow <= 1,
        },
      ]
    : [
        { what: 'requests that failed', expected: 'any', found: failed, ok: true },
        {
          what: 'service back',
          expected: `within ${backWithinMs / 1_000} s`,
          found: `after ${(back / 1_000).toFixed(1)} s`,
          ok: back <= backWithinMs,
        },
      ]
  return findings
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
  const random = randomFrom(number('seed'))
  let stopped = false
  process.on('SIGINT', () => (stopped = true))
  try {
    const shop = await startShop({
      data,
      main: 'toolkit/src/cli/main.ts',
      command: 'up',
      setup: values.setup,
      env: { SERVAL_DATABASE_URL: server.url, SERVAL_SMTP_URL: sink.url },
    })
    const fleet = fleetIn(data)
    await fleet.whole((await fleet.processes()).length)
    const ledger = await openLedger(shop)
    const restMs = number('rest') * 1_000
    console.log(`\n  ${values.setup}, ${runtime}: ${name}, ${values.rate} requests a second\n`)
    const begun = performance.now()
    const load = startLoad(ledger, random, number('rate'))
    await pause(number('before') * 1_000)
    const done: Deed[] = []
    let signedIn = performance.now()
    const once = async (what: string, work: () => Promise<void>) => {
      if (stopped) return
      const deed = { name: what, from: performance.now(), to: Number.POSITIVE_INFINITY }
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
      cycles: number('cycles'),
      pairs: number('pairs'),
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
    if (values.svg !== undefined)
      writeFileSync(
        values.svg,
        plot(`${values.setup}, ${runtime}: ${name}, ${values.rate}/s`, measured, begun),
      )
    const noisy = measured.seconds.filter(({ p99 }) => p99 > 2 * measured.before).length
    console.log(
      `\n  ${samples.length} requests in ${measured.seconds.length} s; p99 before ${measured.before.toFixed(0)} ms; ${noisy} seconds with more than twice that`,
    )
    shownFailures(samples)
    console.log('\n  checking the books')
    const findings = [...findingsOf(name, measured, samples), ...(await checkBooks(ledger, mails))]
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
    rmSync(data, { recursive: true, force: true })
  }
}

if (values.help) console.log(help)
else if (!isDeed(values.do)) {
  console.error(`  --do is one of ${Object.keys(deeds).join(', ')}; see --help`)
  process.exitCode = 2
} else process.exitCode = (await run(values.do)) ? 0 : 1

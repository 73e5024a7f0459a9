import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startPostgres } from 'serval/testing'
import { Complaint } from '../../replay/complaint.ts'
import { rowsOf } from '../../replay/csv.ts'
import { planOf } from '../../replay/plan.ts'
import { madeUpPlan } from './made-up-plan.ts'
import { runKills } from './run.ts'

const help = `Kills the shop's process again and again while orders are placed, and compares what it had acknowledged with what it knows.

Usage: npm run kill -- [FILE] [options]

  FILE               a CSV of orders, as for npm run replay; made-up orders without one
  --kills N          how often (default 50)
  --orders N         how many orders (default 1,000)
  --clients N        how many place orders at once (default 8)
  --setup NAME       kitten (default) or big-cat, which starts a PostgreSQL server of its own
  -h, --help         this text

Exit code: 0 all checks agree, 1 they do not, 2 wrong FILE or options.
`

const parse = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        kills: { type: 'string', default: '50' },
        orders: { type: 'string', default: '1000' },
        clients: { type: 'string', default: '8' },
        setup: { type: 'string', default: 'kitten' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/\. .*$|\.$/s, '') : String(error)
    throw new Complaint(`${reason}. Run with --help to see the options.`, 2)
  }
}

const say = (text: string) => void process.stdout.write(`${text}\n`)

const main = async (): Promise<number> => {
  const { values, positionals } = parse()
  if (values.help) {
    process.stdout.write(help)
    return 0
  }
  const count = (name: 'kills' | 'orders' | 'clients'): number => {
    const number = Number(values[name])
    if (Number.isInteger(number) && number >= 1 && number <= 100_000) return number
    throw new Complaint(
      `--${name} must be a whole number from 1 to 100,000; it is ${values[name]}`,
      2,
    )
  }
  const [file] = positionals
  const [kills, orders, clients] = [count('kills'), count('orders'), count('clients')]
  if (values.setup !== 'kitten' && values.setup !== 'big-cat')
    throw new Complaint(`--setup must be kitten or big-cat; it is ${values.setup}`, 2)
  const plan = file === undefined ? madeUpPlan(orders) : await planOf(rowsOf(file), orders)
  const server = values.setup === 'big-cat' ? await startPostgres() : undefined
  if (server !== undefined && 'missing' in server) {
    say(`big-cat needs PostgreSQL: ${server.missing}`)
    return 2
  }
  const data = await mkdtemp(join(tmpdir(), 'serval-kill-'))
  const runtime =
    process.versions['bun'] === undefined
      ? `Node ${process.versions.node}`
      : `Bun ${process.versions['bun']}`
  say(
    `${kills} kills of ${values.setup} on ${runtime} while ${clients} clients place ${plan.orders.length} orders (${plan.lines} lines)`,
  )
  try {
    const report = await runKills({
      setup: values.setup,
      data,
      ...(server === undefined ? {} : { env: { SERVAL_DATABASE_URL: server.url } }),
      plan,
      kills,
      clients,
      random: Math.random,
      tell: (event) =>
        say(
          'doing' in event
            ? `  … ${event.doing}`
            : `  kill ${String(event.kill).padStart(3)} after ${String(event.acknowledged).padStart(5)} orders, ${event.inFlight} requests in flight; ready again in ${Math.round(event.restartMs)} ms`,
        ),
    })
    const unfinished = report.kills.reduce((total, kill) => total + kill.unfinished, 0)
    const inFlight = report.kills.reduce((total, kill) => total + kill.inFlight, 0)
    say(
      `\n  ${report.kills.length} kills hit ${inFlight} requests in flight; ${unfinished} times an order was between its 201 and its end;\n  ${report.resent} requests were sent again\n`,
    )
    for (const { ok, what, expected, found } of report.findings)
      say(
        `  ${ok ? '✓' : '✗'} ${what.padEnd(56)} ${String(found).padStart(12)}${ok ? '' : `   expected ${expected}`}`,
      )
    const wrong = report.findings.filter((finding) => !finding.ok).length
    const all = report.findings.length
    say(
      wrong === 0
        ? `\n  All ${all} checks agree.\n`
        : `\n  ${wrong} of ${all} checks do not agree.\n`,
    )
    return wrong === 0 ? 0 : 1
  } finally {
    await rm(data, { recursive: true, force: true })
    if (server !== undefined) await server.stop()
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof Complaint)) throw error
  process.stderr.write(`\n  ${error.message}\n\n`)
  process.exitCode = error.exitCode
}

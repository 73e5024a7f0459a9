import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { send } from '../raw-http.ts'
import { killAll, startShop, unexpectedLines, type ShopProcess } from '../shop-process.ts'
import { fit } from '../statistics.ts'
import { until } from '../until.ts'
import { openMailSink } from './mail-sink.ts'
import { plot, type Point } from './plot.ts'
import { openTraffic } from './traffic.ts'

/*
 * Whether the shop holds more the longer it runs: mixed traffic, and at some points, when all is quiet and the garbage is
 * collected, its heap, its resident memory and its open files, looked at from outside.
 */

const help = `
  Sends mixed traffic to a shop and measures its heap, memory and open files on the way.

  npm run soak -- [options]

    --requests N     after the warm-up (default 1000000)
    --warm-up N      requests before the first measurement (default 100000)
    --points N       measurements (default 20)
    --setup NAME     of the shop that is started for it (default kitten)
    --svg FILE       a picture of it
    --seed N
    --only KIND      of requests, such as place, search or events (see traffic.ts); may be given more than once

  big-cat needs SERVAL_DATABASE_URL. Ctrl+C ends it with what is known until then.
`

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    'warm-up': { type: 'string', default: '100000' },
    points: { type: 'string', default: '20' },
    setup: { type: 'string', default: 'kitten' },
    svg: { type: 'string' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true },
    help: { type: 'boolean', default: false },
  },
})

const mib = 1024 * 1024
const isBun = process.versions['bun'] !== undefined
/** Of heap, for each million requests. */
const mostGrowth = 0.5

/** What a descriptor is of; it may have been closed since. */
const linkOf = (pid: number, name: string): string[] => {
  try {
    return [readlinkSync(`/proc/${pid}/fd/${name}`)]
  } catch {
    return []
  }
}

/** Waits until every order has come to its end, and the garbage is collected. */
const measure = async (shop: ShopProcess, requests: number): Promise<Point> => {
  const quiet = async () =>
    (
      await send(shop.operator, {
        path: '/operator/v1/orders',
        headers: { 'x-serval-operator': shop.operatorKey },
      })
    )
      .json<{ statuses: { status: string }[] }>()
      .statuses.every(({ status }) => status === 'confirmed' || status === 'cancelled')
  for (let tries = 0; tries < 20 && !(await until(quiet, (yes) => yes)); tries++) continue
  const before = shop.stdout.length
  shop.tell('measure')
  const told = await until(
    () => Promise.resolve(/\{"held":.*\}\n/.exec(shop.stdout.slice(before))?.[0]),
    (line) => line !== undefined,
  )
  const { held } = JSON.parse(told ?? '{}') as {
    held: { heapUsed: number; external: number; code: number }
  }
  const open = readdirSync(`/proc/${shop.pid}/fd`).flatMap((name) => linkOf(shop.pid, name))
  // An embedded database keeps files of its tables open, up to a limit of its own.
  const tables = open.filter((path) => path.includes('/database/')).length
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${shop.pid}/status`, 'utf8'))?.[1])
  return {
    requests,
    // JavaScriptCore counts what lies outside of its heap as well; V8 the code that it has compiled.
    heapMib: (held.heapUsed - (isBun ? held.external : held.code)) / mib,
    codeMib: held.code / mib,
    externalMib: held.external / mib,
    rssMib: rss / 1024,
    descriptors: open.length - tables,
    tables,
  }
}

const shown = ({
  requests,
  heapMib,
  codeMib,
  externalMib,
  rssMib,
  descriptors,
  tables,
}: Point): string =>
  `  ${String(requests).padStart(9)} requests: heap ${heapMib.toFixed(2)} MiB, ${isBun ? '' : `code ${codeMib.toFixed(2)} MiB, `}external ${externalMib.toFixed(1)} MiB, resident ${rssMib.toFixed(0)} MiB, ${descriptors} descriptors, ${tables} files of tables`

const run = async (): Promise<boolean> => {
  const [requests, warmUp, count] = [values.requests, values['warm-up'], values.points].map(Number)
  if (requests === undefined || warmUp === undefined || count === undefined) return false
  const sink = await openMailSink()
  const data = mkdtempSync(join(tmpdir(), 'serval-soak-'))
  let stopped = false
  process.on('SIGINT', () => (stopped = true))
  try {
    const shop = await startShop({
      data,
      setup: values.setup,
      main: 'acceptance/soak/measured.ts',
      runtimeArgs: isBun ? [] : ['--expose-gc'],
      env: {
        // The mailbox that stands for a mail server keeps every mail.
        SERVAL_SMTP_URL: sink.url,
        SERVAL_DATABASE_URL: process.env['SERVAL_DATABASE_URL'],
        SERVAL_DATABASE_PREFIX: process.env['SERVAL_DATABASE_PREFIX'],
      },
    })
    const traffic = await openTraffic(shop, {
      seed: Number(values.seed),
      only: values.only ?? [],
    })
    const begun = performance.now()
    if (values.only === undefined) await traffic.fill()
    await traffic.run(warmUp)
    const points = [await measure(shop, 0)]
    console.log(
      `\n  ${values.setup}, ${isBun ? 'Bun' : 'Node'}, after ${warmUp} requests to warm up\n`,
    )
    for (const point of points) console.log(shown(point))
    for (let at = 1; at <= count && !stopped; at++) {
      await traffic.run(Math.round(requests / count))
      const point = await measure(shop, Math.round((requests * at) / count))
      points.push(point)
      console.log(shown(point))
      if (values.svg !== undefined)
        writeFileSync(values.svg, plot(`${values.setup}, ${isBun ? 'Bun' : 'Node'}`, points))
    }
    const slope = (of: (point: Point) => number) =>
      fit(points.map((point) => [point.requests / 1_000_000, of(point)] as const)).slope
    const [heap, rss, files] = [
      slope(({ heapMib }) => heapMib),
      slope(({ rssMib }) => rssMib),
      slope(({ descriptors }) => descriptors),
    ]
    const statuses = [...traffic.statuses].sort(([a], [b]) => a - b)
    const seconds = (performance.now() - begun) / 1_000
    console.log(
      `\n  For each million requests: heap ${heap.toFixed(2)} MiB (at most ${mostGrowth}), resident ${rss.toFixed(1)} MiB, descriptors ${files.toFixed(1)}`,
    )
    console.log(
      `  ${Math.round(seconds)} s; ${sink.mails()} mails; replies: ${statuses.map(([status, times]) => `${status}×${times}`).join(' ')}\n`,
    )
    const logged = unexpectedLines(shop.stderr, /a refresh token was used again/)
    if (logged.length > 0)
      console.log(`  it logged ${logged.length} lines; the first: ${logged[0]}`)
    const broken = statuses.some(([status]) => status === 0 || status >= 500)
    return heap <= mostGrowth && !broken
  } finally {
    await killAll()
    sink.close()
    rmSync(data, { recursive: true, force: true })
  }
}

if (values.help) console.log(help)
else process.exitCode = (await run()) ? 0 : 1

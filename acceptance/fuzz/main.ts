import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { givenPlace } from '../given-place.ts'
import { killAll, startShop, unexpectedLines } from '../shop-process.ts'
import { openFuzzer, type FuzzReport } from './fuzz.ts'

const help = `
  Sends made-up requests to each operation of the shop, and prints each reply that is a 5xx or that its OpenAPI
  document does not declare, as a curl line.

  npm run fuzz -- [options]

    --requests N    for each group of operations (default 1000)
    --group NAME    only this group, such as orders; may be given more than once
    --seed N        the same requests again (default: a new one, which is printed)
    --setup NAME    of the shop that is started for it (default kitten)
    --help

  With SERVAL_ACCEPTANCE_URL, SERVAL_ACCEPTANCE_OPERATOR_URL and SERVAL_ACCEPTANCE_OPERATOR_KEY it goes to a shop that runs.
`

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000' },
    group: { type: 'string', multiple: true },
    seed: { type: 'string' },
    setup: { type: 'string', default: 'kitten' },
    help: { type: 'boolean', default: false },
  },
})

const barWidth = 30

/** A bar on a terminal, a line for each tenth elsewhere. */
const progressOf = (group: string, requests: number) => {
  const begun = performance.now()
  let shown = 0
  return (done: number) => {
    const share = done / requests
    const steps = Math.floor(share * (process.stderr.isTTY ? 200 : 10))
    if (steps === shown) return
    shown = steps
    const bar = '█'.repeat(Math.round(share * barWidth)).padEnd(barWidth, '·')
    const perSecond = Math.round((done / (performance.now() - begun)) * 1_000)
    const line = `  ${group.padEnd(14)} ${bar} ${done} of ${requests}, ${perSecond}/s`
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[2K${line}` : `${line}\n`)
  }
}

const shown = ({ group, requests, seconds, statuses, findings }: FuzzReport): string => {
  const counts = [...statuses]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${status}×${count}`)
    .join(' ')
  const found = findings
    .map(
      ({ operation, faults, curl, seed, index }) =>
        `\n  ${operation} (seed ${seed}, request ${index}): ${faults.join('; ')}\n  ${curl}\n`,
    )
    .join('')
  return `  ${group.padEnd(14)} ${requests} requests in ${seconds.toFixed(1)} s, ${findings.length} findings: ${counts}${found}`
}

const run = async (): Promise<boolean> => {
  const requests = Number(values.requests)
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  if (!Number.isInteger(requests) || requests < 1 || !Number.isInteger(seed))
    throw new Error('--requests and --seed take whole numbers')
  const data = mkdtempSync(join(tmpdir(), 'serval-fuzz-'))
  const given = givenPlace()
  try {
    const own = given === undefined ? await startShop({ data, setup: values.setup }) : undefined
    const place = given ?? own
    if (place === undefined) throw new Error('there is no shop')
    const fuzzer = await openFuzzer(place)
    console.log(`\n  seed ${seed}\n`)
    let clean = true
    for (const group of values.group ?? fuzzer.groups) {
      const report = await fuzzer.run({
        group,
        requests,
        seed,
        progress: progressOf(group, requests),
      })
      if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K')
      console.log(shown(report))
      clean &&= report.findings.length === 0
    }
    const logged =
      own === undefined
        ? []
        : unexpectedLines(own.stderr, /a refresh token was used again|"Superseded"/)
    if (logged.length > 0)
      console.log(
        `\n  The shop logged ${logged.length} lines; the first:\n${logged.slice(0, 5).join('\n')}`,
      )
    return clean && !logged.some((line) => line.includes('"level":"error"'))
  } finally {
    await killAll()
    rmSync(data, { recursive: true, force: true })
  }
}

if (values.help) console.log(help)
else process.exitCode = (await run()) ? 0 : 1

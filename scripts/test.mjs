// Runs the tests on Node (vitest) and then the same files on Bun (`bun test`); there, the tests of
// services once more, with each service in hosts of its own (scripts/apart.mjs).
//
//   npm test                      everything, on both
//   npm test -- store edge        the files whose path contains `store` or `edge`
//   npm test -- --node  |  --bun  on one runtime
//   npm test -- --apart           only what runs once more, on both
//
// One PostgreSQL server is shared by the whole run when PostgreSQL is installed; otherwise the
// tests that need one are skipped, or fail the run if SERVAL_REQUIRE_POSTGRES=1.

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { excluded, exclusionOf, placement, serviceTests, titles } from './apart.mjs'
import { count, readJunit, readVitest, totalsLine, withSilentFiles } from './test-results.mjs'

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')
const node = join(root, 'node_modules/.bin/node')
const bun = join(root, 'node_modules/.bin/bun')
const folders = ['toolkit', 'shop', 'setups', 'acceptance', 'bench', 'docs', 'scripts']
const longestRunMs = 10 * 60_000

const flags = process.argv.slice(2).filter((word) => word.startsWith('--'))
const patterns = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const unknown = flags.filter((flag) => !['--node', '--bun', '--apart'].includes(flag))
if (unknown.length > 0) {
  console.error(
    `Unknown: ${unknown.join(' ')}. Usage: npm test -- [--node | --bun] [--apart] [PATTERN ...]`,
  )
  process.exit(2)
}

const reports = mkdtempSync(join(tmpdir(), 'serval-test-'))
process.on('exit', () => rmSync(reports, { recursive: true }))
const runtimes = [
  {
    name: 'Node',
    flag: '--node',
    report: join(reports, 'node.json'),
    read: readVitest,
    command: (files, report) => [
      node,
      join(root, 'node_modules/vitest/vitest.mjs'),
      ...['run', '--silent=passed-only', '--reporter=default', '--reporter=json'],
      ...[`--outputFile.json=${report}`, ...files],
    ],
  },
  {
    name: 'Bun',
    flag: '--bun',
    report: join(reports, 'bun.xml'),
    read: readJunit,
    // Two processes, a fresh global object for each file, and the limits of vitest.config.ts:
    // bunfig.toml cannot set them.
    command: (files, report) => [
      bun,
      ...['test', '--dots', '--parallel=2', '--timeout=20000', '--reporter=junit'],
      ...[`--reporter-outfile=${report}`, ...files.map((file) => `./${file}`)],
    ],
  },
].filter(
  ({ flag }) => (!flags.includes('--node') && !flags.includes('--bun')) || flags.includes(flag),
)

const started = performance.now()
const children = new Set()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const child of children) stop(child)
    process.exit(1)
  })
}

const files = findTests()
if (files.length === 0) {
  console.log(`No test file has ${patterns.join(' or ')} in its path.`)
  console.log(totalsLine({ passed: 0, failed: 1, skipped: 0 }))
  process.exit(1)
}
const postgres = await startPostgres()
const outcomes = []
const onlyApart = flags.includes('--apart')
if (!onlyApart) for (const runtime of runtimes) outcomes.push(await run(runtime, files))
const apart = serviceTests(root, files)
if (apart.length > 0)
  for (const runtime of runtimes)
    if (onlyApart || runtime.name === 'Bun') outcomes.push(await runApart(runtime))
postgres.stop()
process.exitCode = conclude()

function findTests() {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => {
      const entries = readdirSync(join(root, folder), { recursive: true })
      return entries.map((entry) => join(folder, entry).split(sep).join('/'))
    })
    .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules/'))
    .filter((path) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)))
    .sort()
}

/** The server lives in a process of its own, which ends with ours: it watches its stdin. */
async function startPostgres() {
  const given = process.env.SERVAL_TEST_POSTGRES_URL
  if (given) return { url: given, stop() {} }
  const child = spawn(node, [join(root, 'scripts/postgres.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  const first = await new Promise((resolve) => {
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('close', () => resolve('{}'))
  })
  const { url, reason = 'the PostgreSQL server did not start' } = JSON.parse(first)
  console.log(url ? 'PostgreSQL: one server for the whole run' : `PostgreSQL: none, ${reason}`)
  return { url, reason, stop: () => child.stdin.end() }
}

/** The tests of services with each service in a host of its own, but for those that are about one host. */
async function runApart(runtime) {
  const { read, command } = runtime
  const env = { SERVAL_TEST_PLACEMENT: process.env.SERVAL_TEST_PLACEMENT ?? placement }
  const left = new Set()
  const outcome = await run(
    {
      ...runtime,
      name: `${runtime.name}, ${env.SERVAL_TEST_PLACEMENT}`,
      command: (these, report) => [...command(these, report), '-t', titles],
      read: (text, folder) =>
        read(text, folder).filter(({ file, name }) => {
          const exclusion = exclusionOf(file, name)
          if (exclusion) left.add(exclusion)
          return !exclusion
        }),
    },
    apart,
    env,
  )
  if (patterns.length === 0) {
    const gone = [
      ...excluded.files.filter((file) => !files.includes(file)),
      ...excluded.tests.flatMap((one) => (left.has(one) ? [] : [`${one.file}  ${one.title}`])),
    ]
    for (const one of gone)
      outcome.results.push({
        file: 'scripts/apart.mjs',
        name: `excludes what is not there: ${one}`,
        outcome: 'failed',
      })
  }
  return { ...outcome, excluded: left.size }
}

async function run({ name, report, read, command }, files, env = {}) {
  console.log(`\n— ${name}: ${files.length} files`)
  const began = performance.now()
  const [program, ...args] = command(files, report)
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      ...env,
      ...(postgres.url && { SERVAL_TEST_POSTGRES_URL: postgres.url }),
    },
    detached: true,
  })
  children.add(child)
  let late = false
  const timer = setTimeout(() => {
    late = true
    stop(child)
  }, longestRunMs)
  const exitCode = await new Promise((resolve) => {
    child.once('error', () => resolve(1))
    child.once('close', resolve)
  })
  clearTimeout(timer)
  children.delete(child)

  const results = withSilentFiles(readReport(), files)
  const fail = (why) => results.push({ file: name, name: why, outcome: 'failed' })
  if (late) fail(`stopped after ${longestRunMs / 60_000} minutes`)
  const totals = count(results)
  if (totals.passed + totals.failed === 0) fail('no test ran')
  if (exitCode !== 0 && count(results).failed === 0) fail(`ended with ${exitCode}, see above`)
  return { name, results, seconds: (performance.now() - began) / 1000 }

  function readReport() {
    try {
      return read(readFileSync(report, 'utf8'), root)
    } catch {
      return []
    }
  }
}

function conclude() {
  console.log('')
  for (const { name, results } of outcomes) {
    for (const { file, name: title, outcome } of results) {
      if (outcome === 'failed') console.log(`✗ ${name}  ${file}  ${title}`)
    }
  }
  for (const { name, results } of outcomes) {
    const skips = results.filter(({ outcome }) => outcome === 'skipped')
    for (const [group, times] of tally(skips.map(({ file, reason }) => `${file}  ${reason}`))) {
      console.log(`↓ ${name}  ${times} skipped  ${group}`)
    }
  }
  for (const { name, results, seconds, excluded: left } of outcomes) {
    const without = left === undefined ? '' : `, ${left} tests excluded by scripts/apart.mjs`
    console.log(
      `${name.padEnd(5)} ${totalsLine(count(results))}${without} (${seconds.toFixed(1)} s)`,
    )
  }

  const all = outcomes.flatMap(({ results }) => results)
  if (process.env.SERVAL_REQUIRE_POSTGRES === '1') {
    const missed = all.some(
      ({ outcome, reason }) => outcome === 'skipped' && /postgres/i.test(reason),
    )
    if (!postgres.url || missed) {
      console.log(`✗ PostgreSQL is required here${postgres.url ? '' : `, and ${postgres.reason}`}`)
      all.push({ outcome: 'failed' })
    }
  }
  console.log(`Total ${((performance.now() - started) / 1000).toFixed(1)} s`)
  const totals = count(all)
  console.log(totalsLine(totals))
  return totals.failed > 0 ? 1 : 0
}

function tally(words) {
  const times = new Map()
  for (const word of words) times.set(word, (times.get(word) ?? 0) + 1)
  return times
}

/** Ends a runner together with the workers that it started. */
function stop(child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

// Checks the structure of the house: which folder imports which, what the core may use, how
// long a setup is, and how often the type checker or the linter is overruled.
//
//   node scripts/floors.mjs           checks, also against docs/graph.txt and docs/ceilings.json
//   node scripts/floors.mjs --write   rewrites the graph and lowers the ceilings, then checks

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { read } from './source.mjs'

/** The folders of toolkit/src; each may import those before it. `index` is toolkit/src/index.ts. */
const floors = [
  ...['base', 'contract', 'telemetry', 'guard', 'cache', 'store', 'events', 'jobs', 'link'],
  ...['service', 'edge', 'index', 'host', 'fleet', 'engines', 'simulate', 'testing', 'cli'],
]
const core = floors.slice(0, floors.indexOf('host'))
const isTest = (path) => /\.(test|suite)\.ts$/.test(path)
const longestSetup = 60

/**
 * The checker itself: it touches no file.
 *
 * @param {{ path: string, text: string }[]} files paths from the root of the repository, with `/`
 * @returns {{ problems: string[], graph: string, counts: Record<string, number> }}
 */
export function inspect(files) {
  const problems = []
  /** @type {Map<string, Set<string>>} */
  const arrows = new Map()
  const counts = { any: 0, nonNull: 0, casts: 0, disabled: 0 }
  const services = new Set(
    files.map(({ path }) => /^shop\/([^/]+)\/contract\.ts$/.exec(path)?.[1]).filter(Boolean),
  )

  for (const { path, text } of files.filter((file) => !isTest(file.path))) {
    const report = (line, message) => problems.push(`${path}:${line}: ${message}`)
    const source = read(path, text)
    if (source.broken) {
      report(1, `cannot be parsed: ${source.broken}`)
      continue
    }
    for (const name of Object.keys(counts)) counts[name] += source.counts[name]
    const from = locate(path, services)
    noteArrow(from.node)
    if (from.floor && !floors.includes(from.floor)) report(1, `${from.floor}/ is not a floor`)

    for (const { name, line } of source.imports) {
      const to = locate(target(path, name), services)
      if (to.node && to.node !== from.node) noteArrow(from.node, to.node)
      const complaint = from.floor ? toolkitRule(from, to, name) : shopRule(from, to, name)
      if (complaint) report(line, complaint)
    }
    if (core.includes(from.floor) && from.floor !== 'base') {
      for (const { what, line } of source.ambient) report(line, `${what}: take it from env`)
    }
    if (from.area === 'setups') {
      if (source.lines > longestSetup) report(longestSetup, `a setup has ${longestSetup} lines`)
      for (const line of source.ifs) report(line, 'a setup only wires: no `if`')
    }
  }
  return { problems, graph: draw(), counts }

  function noteArrow(from, to) {
    if (!from) return
    const known = arrows.get(from) ?? new Set()
    arrows.set(from, to ? known.add(to) : known)
  }

  function draw() {
    const lines = [...arrows].map(([from, to]) => `${from} → ${[...to].sort().join(', ')}`.trim())
    return `${lines.sort().join('\n')}\n`
  }
}

/** What an import leads to: a path in this repository, or the name of a package. */
function target(path, name) {
  if (name.startsWith('.')) return posix.join(posix.dirname(path), name)
  const engine = /^serval\/engines\/([^/]+)/.exec(name)?.[1]
  return engine ? `serval/engines/${engine}` : name
}

/** The part of the house that a path belongs to; `node` is its name in the graph. */
function locate(path, services) {
  const [area, first, second, third] = path.split('/')
  if (area === 'toolkit' && first === 'src') {
    const floor = third === undefined && second.endsWith('.ts') ? 'index' : second
    if (floor !== 'engines') return { area, path, floor, node: `toolkit/${floor}` }
    const engine = third.endsWith('.ts') ? '' : `/${third}`
    return { area, path, floor, engine, node: `toolkit/engines${engine}` }
  }
  if (area === 'shop') {
    const service = services.has(first) ? first : undefined
    return { area, path, service, node: first.endsWith('.ts') ? 'shop' : `shop/${first}` }
  }
  if (area === 'serval') return { area, path, node: path }
  return { area, path }
}

function toolkitRule(from, to, name) {
  if (to.area === 'serval') return `import of '${name}': inside the toolkit, import by path`
  if (!name.startsWith('.')) {
    if (!core.includes(from.floor) || /^zod(\/|$)/.test(name)) return undefined
    if (from.floor === 'base' && name === 'node:crypto') return undefined
    return `import of '${name}': ${from.floor}/ comes before host/ and may use zod alone`
  }
  if (!to.floor) return `import of '${name}': it leaves toolkit/src`
  if (floors.indexOf(to.floor) > floors.indexOf(from.floor)) {
    return `import of '${name}': ${from.floor}/ comes before ${to.floor}/`
  }
  if (to.floor !== 'engines' || ['testing', 'cli'].includes(from.floor)) return undefined
  if (from.floor !== 'engines') return `import of '${name}': setups alone import engines`
  if (to.engine === from.engine || to.engine === '/sql') return undefined
  return `import of '${name}': an engine imports no other engine except sql`
}

function shopRule(from, to, name) {
  if (to.area === 'toolkit') return `import of '${name}': import the toolkit as 'serval/…'`
  if (
    to.path.startsWith('serval/engines/') &&
    from.area === 'shop' &&
    from.path !== 'shop/main.ts' &&
    from.path.replace(/^shop\/[^/]+\/repositories\/(\w+)(\/[\w-]+)?\.ts$/, 'serval/engines/$1') !==
      to.path
  ) {
    return `import of '${name}': setups alone import engines, and a repository its own`
  }
  if (!from.service || !to.service || from.service === to.service) return undefined
  if (to.path === `shop/${to.service}/contract.ts`) return undefined
  return `import of '${name}': of another service, import its contract.ts alone`
}

function main(write) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const { problems, graph, counts } = inspect(findSources(root))

  const graphPath = join(root, 'docs/graph.txt')
  if (write) writeFileSync(graphPath, graph)
  const committed = existsSync(graphPath) ? readFileSync(graphPath, 'utf8') : ''
  if (committed !== graph) problems.push(...differences(committed, graph))

  const ceilingsPath = join(root, 'docs/ceilings.json')
  const known = existsSync(ceilingsPath)
  const ceilings = known ? JSON.parse(readFileSync(ceilingsPath, 'utf8')) : write ? counts : {}
  for (const [name, count] of Object.entries(counts)) {
    const ceiling = ceilings[name] ?? 0
    if (count > ceiling) problems.push(`docs/ceilings.json: ${count} × ${name}, at most ${ceiling}`)
    ceilings[name] = Math.min(ceiling, count)
  }
  if (write) writeFileSync(ceilingsPath, `${JSON.stringify(ceilings, undefined, 2)}\n`)

  for (const problem of problems) console.log(problem)
  const seen = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
  console.log(`${problems.length} problems; ${seen.join(', ')}`)
  process.exitCode = problems.length > 0 ? 1 : 0
}

function findSources(root) {
  return ['toolkit/src', 'shop', 'setups']
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((entry) =>
        posix.join(folder, entry.split(sep).join('/')),
      ),
    )
    .filter((path) => path.endsWith('.ts') && !path.includes('node_modules/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

function differences(committed, graph) {
  const [before, after] = [committed.split('\n'), graph.split('\n')]
  return [
    ...after
      .filter((line) => !before.includes(line))
      .map((line) => `docs/graph.txt lacks: ${line}`),
    ...before.filter((line) => !after.includes(line)).map((line) => `docs/graph.txt has: ${line}`),
    'docs/graph.txt is not what the code says: node scripts/floors.mjs --write, then review it',
  ]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes('--write'))

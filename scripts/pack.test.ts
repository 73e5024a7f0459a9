import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
// @ts-expect-error: a script in plain JavaScript
import { npmEnvironment } from './npm-environment.mjs'

/*
 * The package as somebody gets it: a tarball, installed by npm into a project outside of the repository, and run there on
 * the runtime that runs this test. Nothing is fetched: what it depends on is linked from our node_modules.
 */

const root = fileURLToPath(new URL('..', import.meta.url))
const modules = join(root, 'node_modules')
const onBun = 'bun' in process.versions
const place = mkdtempSync(join(tmpdir(), 'serval-pack-'))
const first = join(place, 'first')
const project = join(first, 'my-shop')
const { version } = JSON.parse(readFileSync(join(root, 'toolkit/package.json'), 'utf8')) as {
  version: string
}
const tarball = join(place, `serval-${version}.tgz`)
const running = new Set<ChildProcess>()
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(place, { recursive: true, force: true })
})

/** Without what the test's own runner and npm have set, and with Node 24 first. */
const env = {
  ...(npmEnvironment() as Record<string, string | undefined>),
  PATH: [join(modules, '.bin'), process.env['PATH']].join(delimiter),
  VITEST: undefined,
}

const run = (cwd: string, program: string, ...args: string[]) => {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, env, encoding: 'utf8' })
  return { status, stdout, stderr: `${stderr}${error?.message ?? ''}` }
}
const succeed = (cwd: string, program: string, ...args: string[]): string => {
  const { status, stdout, stderr } = run(cwd, program, ...args)
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${stdout}${stderr}`)
  return stdout
}
/** The installed command, on the runtime under test. */
const serval = (cwd: string, ...args: string[]) =>
  succeed(cwd, process.execPath, join(cwd, 'node_modules/serval/dist/cli/main.js'), ...args)

interface Manifest {
  dependencies: Record<string, string>
  devDependencies?: Record<string, string>
}
const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Manifest

/** Installs with npm, offline: packages that need no others are linked, and so are, by hand, those for development. */
const install = (folder: string, manifest: Manifest) => {
  const linked = ['zod', 'modern-tar', '@electric-sql/pglite']
  const { devDependencies, ...rest } = manifest
  const dependencies = {
    ...manifest.dependencies,
    ...Object.fromEntries(linked.map((name) => [name, `file:${join(modules, name)}`])),
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...rest, dependencies }))
  succeed(folder, 'npm', 'install', '--offline', '--no-audit', '--no-fund', '--cache', join(place, 'npm')) // prettier-ignore
  for (const name of Object.keys(devDependencies ?? {})) {
    const path = join(folder, 'node_modules', name)
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync(join(modules, name), path)
  }
}

beforeAll(() => {
  succeed(root, join(modules, '.bin/node'), 'scripts/pack.mjs', '--out', place)
  mkdirSync(first)
  install(first, { dependencies: { serval: `file:${tarball}` } })
}, 120_000)

test('the package holds what it exports, and no tests', () => {
  const files = succeed(place, 'tar', '-tzf', tarball).split('\n')
  expect(files.filter((file) => /\.(test|suite)\.(js|d\.ts)$|src\//.test(file))).toEqual([])
  const { exports } = JSON.parse(
    readFileSync(join(first, 'node_modules/serval/package.json'), 'utf8'),
  ) as { exports: Record<string, string | { types: string; default: string }> }
  const targets = Object.values(exports).flatMap((one) =>
    typeof one === 'string' ? [one] : [one.types, one.default],
  )
  for (const target of targets) {
    const pattern = `package/${target.slice(2).replace('*', 'pglite')}`
    expect(files, target).toContain(pattern)
  }
  expect(readlinkSync(join(first, 'node_modules/.bin/serval'))).toContain('dist/cli/main.js')
})

test('every export can be imported, and none needs a driver that it does not name', () => {
  const names = ['serval', 'serval/edge', 'serval/host', 'serval/testing', 'serval/engines/sql', 'serval/engines/http'] // prettier-ignore
  const program = `for (const name of ${JSON.stringify(names)}) await import(name)`
  const flags = onBun ? ['-e'] : ['--input-type=module', '-e']
  succeed(first, process.execPath, ...flags, program)
})

/** Instantiations of types in a file, by a compiler that counts the same each time: with one thread. */
const instantiationsOf = (file: string): number => {
  const folder = join(first, file)
  mkdirSync(folder)
  writeFileSync(join(folder, file), readFileSync(join(root, 'scripts', file)))
  const compilerOptions = { target: 'ES2024', module: 'nodenext', strict: true, noEmit: true, skipLibCheck: true, types: [] } // prettier-ignore
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const said = succeed(folder, 'tsc', '--singleThreaded', '--extendedDiagnostics')
  return Number(/Instantiations:\s+(\d+)/.exec(said)?.[1])
}

test('the types of a contract, a service and a client cost the compiler no more than the budget', () => {
  const budget = JSON.parse(readFileSync(join(root, 'docs/type-budget.json'), 'utf8')) as {
    instantiations: number
  }
  const cost = instantiationsOf('type-budget.sample.ts') - instantiationsOf('type-budget.zod.ts')
  // Raised knowingly, or lowered: by hand, in docs/type-budget.json.
  expect(cost).toBeLessThanOrEqual(budget.instantiations)
  expect(cost, 'lower docs/type-budget.json').toBeGreaterThan(budget.instantiations * 0.9)
}, 30_000)

test('serval new makes a project that is installed, checked, tested and served', async () => {
  expect(serval(first, 'new', 'my-shop')).toContain('npm install')
  const manifest = read(join(project, 'package.json'))
  // From the file that the first one was installed from: the registry may not have it.
  expect(manifest.dependencies['serval']).toBe(`file:../../serval-${version}.tgz`)
  // The versions that we use and test ourselves.
  const ours = {
    ...read(join(root, 'package.json')).devDependencies,
    ...read(join(root, 'shop/package.json')).dependencies,
  }
  const { serval: _, ...others } = { ...manifest.dependencies, ...manifest.devDependencies }
  for (const [name, wanted] of Object.entries(others)) expect([name, wanted]).toEqual([name, ours[name]]) // prettier-ignore
  expect(existsSync(join(project, '.gitignore'))).toBe(true)
  install(project, manifest)

  // Its types, and those of the package itself.
  succeed(project, 'tsc')
  succeed(project, 'tsc', '--skipLibCheck', 'false', '--types', 'node')

  if (onBun) succeed(project, process.execPath, 'test', '--timeout', '60000')
  else succeed(project, process.execPath, 'node_modules/vitest/vitest.mjs', 'run')

  const started = await start()
  const added = await fetch(`${started.address}/api/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'k' },
    body: JSON.stringify({ title: 'Feed the cat' }),
  })
  expect(added.status).toBe(201)
  const location = `${started.address}${added.headers.get('location')}`
  expect(await (await fetch(location)).json()).toMatchObject({ title: 'Feed the cat' })
  const refused = run(project, process.execPath, 'node_modules/serval/dist/cli/main.js', 'backup', '../b.tar.gz') // prettier-ignore
  expect(refused).toMatchObject({ status: 1 })
  expect(refused.stderr).toContain(`(process ${started.pid})`)
  expect(await started.stop()).toBe(0)

  serval(project, 'backup', '../b.tar.gz')
  rmSync(join(project, 'data'), { recursive: true })
  serval(project, 'restore', '../b.tar.gz')
  const again = await start()
  const path = new URL(location).pathname
  expect(await (await fetch(`${again.address}${path}`)).json()).toMatchObject({ title: 'Feed the cat' }) // prettier-ignore
  expect(await again.stop()).toBe(0)

  expect(serval(project, 'contracts', 'release', 'system.ts')).toContain('1 contract, 5 operations')
  expect(serval(project, 'contracts', 'check', 'system.ts')).toContain('nothing breaks')
}, 120_000)

/** The project's own main program, until it says where it listens. */
const start = async () => {
  const child = spawn(process.execPath, ['main.ts', '--port', '0', '--operator-port', '0'], {
    cwd: project,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let said = ''
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const address = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      said += chunk.toString()
      const found = /Public\s+(http:\S+)/.exec(said)?.[1]
      if (found !== undefined) resolve(found)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    void ended.then((code) => reject(new Error(`it ended with ${code}: ${said}`)))
  })
  return {
    address,
    pid: child.pid,
    stop: () => {
      child.kill('SIGTERM')
      return ended
    },
  }
}

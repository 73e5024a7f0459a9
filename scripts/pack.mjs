// Makes the package: JavaScript with types, checked by publint, as a tarball. `npm run pack`.
//
//   node scripts/pack.mjs               into .cache/pack
//   node scripts/pack.mjs --out FOLDER  into another folder
//
// In development the toolkit is used as TypeScript, so toolkit/package.json points at src/. The
// package's own package.json is that one with src/*.ts turned into dist/*.js, written here: npm
// itself has no way to publish other `exports` than those it finds.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { npmEnvironment } from './npm-environment.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const toolkit = join(root, 'toolkit')

const { values } = parseArgs({
  options: { out: { type: 'string', default: join(root, '.cache/pack') } },
})
const out = resolve(values.out)
const stage = join(out, 'serval')

rmSync(stage, { recursive: true, force: true })
mkdirSync(stage, { recursive: true })
run(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.pack.json', '--outDir', join(stage, 'dist')], toolkit) // prettier-ignore
for (const file of filesIn(join(stage, 'dist'), '.d.ts')) renameImports(file)
cpSync(join(toolkit, 'templates'), join(stage, 'templates'), { recursive: true })
cpSync(join(toolkit, 'README.md'), join(stage, 'README.md'))
for (const name of ['LICENSE', 'CHANGELOG.md']) cpSync(join(root, name), join(stage, name))
const manifest = packed(JSON.parse(readFileSync(join(toolkit, 'package.json'), 'utf8')))
writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)

const { messages } = await publint({ pkgDir: stage, strict: true, pack: false })
for (const message of messages) console.error(`publint: ${formatMessage(message, manifest)}`)
if (messages.length > 0) process.exit(1)

const tarball = run('npm', ['pack', '--silent', '--pack-destination', out], stage).trim()
console.log(join(out, tarball))

/** Runs a program, and answers what it said; ends this one when it fails. */
function run(program, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: npmEnvironment(),
  })
  if (status === 0) return stdout
  console.error(`${program} ${args.join(' ')}\n${stdout ?? ''}${stderr ?? ''}${error ?? ''}`)
  process.exit(1)
}

function filesIn(folder, ending) {
  return readdirSync(folder, { recursive: true })
    .filter((path) => path.endsWith(ending))
    .map((path) => join(folder, path))
}

/** The compiler rewrites ./x.ts to ./x.js in JavaScript, and leaves it in the types. */
function renameImports(file) {
  const text = readFileSync(file, 'utf8')
  const renamed = text.replaceAll(/((?:from|import|import\()\s*['"]\.[^'"]*)\.ts(?=['"])/g, '$1.js')
  writeFileSync(file, renamed)
}

/** The manifest of the package from that of the workspace. */
function packed(manifest) {
  const { private: _, exports, bin, dependencies, ...rest } = manifest
  const built = (path, ending) => path.replace('./src/', './dist/').replace(/\.ts$/, ending)
  const conditions = (path) => ({ types: built(path, '.d.ts'), default: built(path, '.js') })
  return {
    ...rest,
    // Here each version is exact; an application should get one copy of what it shares with us.
    dependencies: Object.fromEntries(
      Object.entries(dependencies).map(([name, version]) => [name, `^${version}`]),
    ),
    bin: Object.fromEntries(Object.entries(bin).map(([name, path]) => [name, built(path, '.js')])),
    exports: {
      ...Object.fromEntries(
        Object.entries(exports).map(([name, path]) => [name, conditions(path)]),
      ),
      './package.json': './package.json',
    },
  }
}

// Installs the packages when node_modules is missing or not what package-lock.json says; with the
// argument `bench` those of that folder, which nothing else needs.
// Runs before `npm start` and `npm test`, on whatever Node the machine has.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npmEnvironment } from './npm-environment.mjs'

const [folder = '.'] = process.argv.slice(2)
const root = join(fileURLToPath(new URL('..', import.meta.url)), folder)

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Serval needs Node 20.19 or newer to install itself; this is ${process.version}.\n` +
      'Get a newer one from https://nodejs.org, then run the command again.',
  )
  process.exit(1)
}

if (!isInstalled()) install()

/** npm notes what it has installed in a second lock file; it is compared with ours. */
function isInstalled() {
  const noted = join(root, 'node_modules/.package-lock.json')
  const binaries = folder === '.' ? ['node_modules/node/bin/node', 'node_modules/.bin/bun'] : []
  if (![noted, ...binaries.map((path) => join(root, path))].every(existsSync)) return false
  const wanted = readPackages(join(root, 'package-lock.json'))
  const present = readPackages(noted)
  const fits = ({ os, cpu }) =>
    (!os || os.includes(process.platform)) && (!cpu || cpu.includes(process.arch))
  return (
    // node_modules may have been copied from another kind of machine.
    Object.values(present).every(fits) &&
    Object.entries(wanted).every(([path, { version, optional }]) =>
      path === '' ? true : path in present ? present[path].version === version : optional === true,
    )
  )
}

function readPackages(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages
}

function install() {
  const [what, time] =
    folder === '.' ? ['packages', 'half a minute'] : [`the packages of ${folder}/`, 'ten seconds']
  console.log(`Installing ${what} (this happens once and takes about ${time}) …`)
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts=false']
  const { status, stdout, stderr, error } = spawnSync('npm', args, {
    cwd: root,
    env: npmEnvironment(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status === 0) return
  console.error(
    `${stdout ?? ''}${stderr ?? ''}${error ? `${error.message}\n` : ''}\n` +
      '`npm ci` failed; its output is above. It needs the npm registry (see `npm ping`) and a\n' +
      'writable checkout. To begin again: remove node_modules, then run `npm ci`.',
  )
  process.exit(1)
}

// Everything about the code that can be checked without running it: `npm run check`.
// All steps run, even if one fails. The last line has the form of the tests' last line.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const PATH = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter)

const steps = [
  ['types', 'tsc -p tsconfig.json'],
  ['types of the core, without Node', 'tsc -p tsconfig.core.json'],
  ...(existsSync(join(root, 'bench/node_modules'))
    ? [['types of the bench', 'tsc -p bench/tsconfig.json']]
    : []),
  ['lint', 'oxlint --deny-warnings'],
  ['format', 'prettier --check --cache --log-level=warn .'],
  ['floors', 'node scripts/floors.mjs'],
  ['contracts', 'node toolkit/src/cli/main.ts contracts check shop/shop.ts'],
]

let failed = 0
for (const [name, command] of steps) {
  const began = performance.now()
  const [program, ...args] = command.split(' ')
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PATH },
    maxBuffer: 64 * 1024 * 1024,
  })
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${status === 0 ? '✓' : '✗'} ${name} (${seconds} s)`)
  if (status === 0) continue
  failed++
  console.log(`  ${command}\n${[stdout, stderr, error?.message].filter(Boolean).join('\n')}`)
}

console.log(`${steps.length - failed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed > 0 ? 1 : 0
